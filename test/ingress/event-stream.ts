import { eventually } from "../harness/process.ts";

export interface TestStream {
  readonly status: number;
  readonly headers: Headers;
  /** Everything received so far. */
  text(): string;
  next<Data = Record<string, unknown>>(event: string): Promise<Data>;
  readonly ended: Promise<void>;
  close(): void;
}

/** Reads server-sent events as a program that isn't a browser would. A header of "" is left out. */
export async function openStream(url: string, device: string, headers: Record<string, string> = {}): Promise<TestStream> {
  const abort = new AbortController();
  const sent = Object.entries({ Origin: url, ...headers }).filter(([, value]) => value !== "");
  const response = await fetch(`${url}/v1/stream?device=${encodeURIComponent(device)}`, { headers: sent, signal: abort.signal });
  let text = "";
  let read = 0;
  const ended = (async () => {
    for await (const chunk of response.body ?? []) text += Buffer.from(chunk as Uint8Array).toString("utf8");
  })().catch(() => undefined);
  return {
    status: response.status,
    headers: response.headers,
    text: () => text,
    ended,
    close: () => abort.abort(),
    next: async <Data>(event: string) => {
      const found = await eventually(`event ${event}`, () => {
        const match = new RegExp(`event: ${event}\ndata: (.*)\n\n`).exec(text.slice(read));
        if (match === null) return undefined;
        read += match.index + match[0].length;
        return match[1];
      });
      return JSON.parse(found) as Data;
    },
  };
}
