/** SIPp scenarios that need more than test/sipp has. Ours by -key: [headers], one or more lines. */

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

const INVITE = `  <send retrans="500"><![CDATA[
      INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:[caller]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
      To: <sip:[service]@[remote_ip]:[remote_port]>
      Call-ID: [call_id]
      CSeq: 1 INVITE
      Contact: <sip:carrier@[local_ip]:[local_port];transport=[transport]>
      Max-Forwards: 70
      Content-Type: application/sdp
      Content-Length: [len]
${SDP}
  ]]></send>`;

const ACK = `  <send><![CDATA[
      ACK [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:[caller]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
      To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 1 ACK
      Max-Forwards: 70
      Content-Length: 0

  ]]></send>`;

const OK_TO_BYE = `  <send><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

  ]]></send>`;

function scenario(name: string, ...parts: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n<scenario name="${name}">\n${parts.join("\n")}\n</scenario>\n`;
}

const PROVISIONAL = `  <recv response="100" optional="true"/>\n  <recv response="180" optional="true"/>\n  <recv response="183" optional="true"/>`;

/** Calls, is answered, and waits for the other side to hang up. */
export const CALLER_WAITS_FOR_BYE = scenario(
  "call, hung up by the other side",
  INVITE,
  PROVISIONAL,
  `  <recv response="200" rrs="true"/>`,
  ACK,
  `  <recv request="BYE" timeout="60000"/>`,
  OK_TO_BYE,
);

/** Calls, hears it ring, and gives up. */
export const CALLER_CANCELS = scenario(
  "call, cancelled",
  INVITE,
  `  <recv response="100" optional="true"/>\n  <recv response="180"/>\n  <pause milliseconds="300"/>`,
  `  <send retrans="500"><![CDATA[
      CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      [last_Via:]
      [last_From:]
      To: <sip:[service]@[remote_ip]:[remote_port]>
      [last_Call-ID:]
      CSeq: 1 CANCEL
      Max-Forwards: 70
      Content-Length: 0

  ]]></send>
  <recv response="200"/>
  <recv response="487"/>
  <send><![CDATA[
      ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      CSeq: 1 ACK
      Max-Forwards: 70
      Content-Length: 0

  ]]></send>`,
);

/** Rings for the length of the pause, answers, and waits for BYE. */
export function answersLate(afterMs: number): string {
  const reply = (line: string, body: string) => `  <send><![CDATA[
      SIP/2.0 ${line}
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]s[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:[local_ip]:[local_port];transport=[transport]>${body}
  ]]></send>`;
  return scenario(
    "ring, then answer",
    `  <recv request="INVITE" rrs="true"/>`,
    reply("180 Ringing", "\n      Content-Length: 0\n"),
    `  <pause milliseconds="${afterMs}"/>`,
    reply("200 OK", `\n      Content-Type: application/sdp\n      Content-Length: [len]\n${SDP}`),
    `  <recv request="ACK"/>\n  <recv request="BYE" timeout="60000"/>`,
    OK_TO_BYE,
  );
}

/** Answers and hangs up after the length of the pause, with the cause "network out of order" (Q.850, 38). */
export function answersAndHangsUp(afterMs: number): string {
  return scenario(
    "answer, then BYE",
    `  <recv request="INVITE" rrs="true"><action><ereg regexp=".*" search_in="hdr" header="From:" assign_to="remote"/></action></recv>
  <send retrans="500"><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]s[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:[local_ip]:[local_port];transport=[transport]>
      Content-Type: application/sdp
      Content-Length: [len]
${SDP}
  ]]></send>
  <recv request="ACK"/>
  <pause milliseconds="${afterMs}"/>
  <send retrans="500"><![CDATA[
      BYE [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: <sip:desk@[local_ip]:[local_port]>;tag=[pid]s[call_number]
      To:[$remote]
      Call-ID: [call_id]
      CSeq: 2 BYE
      Max-Forwards: 70
      Reason: Q.850;cause=38
      Content-Length: 0

  ]]></send>
  <recv response="200"/>`,
  );
}
