import { KubeError } from "./kube-error.ts";

/** etcd stores 1.5 MiB an object by default; escaped for JSON and with field managers it may be several times that. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * One parsed value a line, as a watch sends them. A last line without its end is dropped: the connection broke in it.
 * @throws KubeError `Malformed` for a line that is no JSON or too long
 */
export async function* jsonLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<unknown, void, undefined> {
  let pending: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = Buffer.concat([...pending, chunk.subarray(start, end)]);
      pending = [];
      bytes = 0;
      start = end + 1;
      if (line.length > 0) yield parseJson(line.toString("utf8"));
    }
    bytes += chunk.length - start;
    if (bytes > MAX_LINE_BYTES) throw new KubeError(0, "Malformed", `a line of a watch must have at most ${MAX_LINE_BYTES} bytes`);
    if (start < chunk.length) pending.push(chunk.subarray(start));
  }
}

/** @throws KubeError `Malformed` */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new KubeError(0, "Malformed", "the API server's answer must be JSON", { cause: error });
  }
}
