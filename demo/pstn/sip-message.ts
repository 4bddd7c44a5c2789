/** One SIP message that was on the wire. */
export interface WireMessage {
  /** Milliseconds since 1970, with the microseconds of the capture as fraction. */
  readonly atMs: number;
  readonly direction: "sent" | "received";
  /** `address:port` of the other side; Asterisk leaves its own out of the capture. */
  readonly peer: string;
  readonly startLine: string;
  /** The status code of a response, null for a request. */
  readonly status: number | null;
  readonly callId: string;
  readonly cseq: string;
  /** All values of a header, by name without regard to case. */
  header(name: string): readonly string[];
  readonly raw: string;
}

/** Null for what is no SIP message (a keep-alive, say). */
export function parseSipMessage(raw: string, envelope: Pick<WireMessage, "atMs" | "direction" | "peer">): WireMessage | null {
  const [head = ""] = raw.split("\r\n\r\n", 1);
  const [startLine = "", ...lines] = head.replace(/\r\n[ \t]+/g, " ").split("\r\n");
  const status = /^SIP\/2\.0 (\d{3})/.exec(startLine)?.[1];
  if (status === undefined && !startLine.endsWith(" SIP/2.0")) {
    return null;
  }
  const header = (name: string) =>
    lines.filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`)).map((line) => line.slice(name.length + 1).trim());
  return {
    ...envelope,
    startLine,
    status: status === undefined ? null : Number(status),
    callId: header("Call-ID")[0] ?? "",
    cseq: header("CSeq")[0] ?? "",
    header,
    raw,
  };
}
