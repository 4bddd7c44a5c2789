export interface SipMessage {
  readonly direction: "sent" | "received";
  /** As SIPp wrote it, local time with microseconds. */
  readonly at: string;
  readonly startLine: string;
  /** The first value of a header, name without regard to case; undefined when it is not there. */
  header(name: string): string | undefined;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly raw: string;
}

/** Reads what SIPp wrote with `-trace_msg`. */
export function parseMessageTrace(trace: string): SipMessage[] {
  const parts = trace.split(/^-{20,} (\d{4}-\d\d-\d\d[ T\t][\d:.]+)[^\n]*\n/m).slice(1);
  const messages: SipMessage[] = [];
  for (let index = 0; index + 1 < parts.length; index += 2) {
    const text = parts[index + 1] ?? "";
    const announced = /^\w+ message (sent|received)\b[^\n]*\n\n?/.exec(text);
    if (announced !== null) {
      messages.push(parseSip(text.slice(announced[0].length), announced[1] === "sent" ? "sent" : "received", parts[index] ?? ""));
    }
  }
  return messages;
}

function parseSip(raw: string, direction: SipMessage["direction"], at: string): SipMessage {
  const [head = "", ...rest] = raw.replace(/\r\n/g, "\n").split("\n\n");
  const [startLine = "", ...lines] = head.trimStart().split("\n");
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const;
  });
  const header = (name: string) => headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
  return { direction, at, startLine, header, headers, body: rest.join("\n\n").trimEnd(), raw };
}
