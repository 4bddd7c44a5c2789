/** Parts of the SIPp scenarios that are written in TypeScript; what stands for itself is a file of test/sipp. */

const SDP = `
      v=0
      o=sipp 1 1 IN IP[local_ip_type] [local_ip]
      s=-
      c=IN IP[media_ip_type] [media_ip]
      t=0 0
      m=audio [media_port] RTP/AVP 0
      a=rtpmap:0 PCMU/8000
      a=ptime:20
`;
/** Ends a message, after its own headers. */
export const NO_BODY = "Content-Length: 0\n";
export const SDP_BODY = `Content-Type: application/sdp\n      Content-Length: [len]\n${SDP}`;

export function scenario(name: string, ...parts: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n<scenario name="${name}">\n${parts.join("\n")}\n</scenario>\n`;
}

/** Sent once; the last line is NO_BODY or SDP_BODY. */
export function send(...lines: readonly string[]): string {
  return `  <send><![CDATA[\n${lines.map((line) => `      ${line}\n`).join("")}\n  ]]></send>`;
}

/** Sent again until it is answered. */
export function sendUntilAnswered(...lines: readonly string[]): string {
  return send(...lines).replace("<send>", `<send retrans="500">`);
}

/** SIPp's own keys: [service], [caller]. `headers` are lines of their own. */
export function invite(...headers: readonly string[]): string {
  return sendUntilAnswered(
    "INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0",
    "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
    "From: <sip:[caller]@[local_ip]:[local_port]>;tag=[pid]c[call_number]",
    "To: <sip:[service]@[remote_ip]:[remote_port]>",
    "Call-ID: [call_id]",
    "CSeq: 1 INVITE",
    "Contact: <sip:carrier@[local_ip]:[local_port];transport=[transport]>",
    "Max-Forwards: 70",
    ...headers,
    SDP_BODY,
  );
}

/** Belongs to the INVITE that was refused, not to a dialog. */
export const ACK_OF_REFUSAL = send(
  "ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0",
  "[last_Via:]",
  "[last_From:]",
  "[last_To:]",
  "[last_Call-ID:]",
  "CSeq: 1 ACK",
  "Max-Forwards: 70",
  NO_BODY,
);

/** First lines of an answer to the last request; `tag` where it is the one that makes the dialog. */
export function answer(status: string, tag?: string): readonly string[] {
  return [`SIP/2.0 ${status}`, "[last_Via:]", "[last_From:]", `[last_To:]${tag === undefined ? "" : `;tag=${tag}`}`, "[last_Call-ID:]", "[last_CSeq:]"];
}
