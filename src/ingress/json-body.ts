import type { Request, RequestHandler, Response } from "express";
import { HttpProblem } from "./problem.ts";

/** In bytes. */
const longest = 16_384;
const utf8 = new TextDecoder();
/** text/plain as well: it saves pages the preflight, and sendBeacon can't send JSON without one. */
const readable = /^(?:application\/json|text\/plain)\s*(?:;|$)/i;
const charset = /;\s*charset\s*=\s*"?([^\s";]*)/i;

/**
 * Puts the JSON of a request into `request.body`; leaves bodies of other types unread. Express's own parser knows compression, a dozen
 * character sets and streams of any length, and costs more than the rest of a request here: docs/benchmarks-history.md.
 */
export function jsonBody(): RequestHandler {
  return (request, _response, next) => {
    if (!hasBody(request)) next();
    else read(request, next);
  };
}

function hasBody({ headers }: Request): boolean {
  const isSent = headers["transfer-encoding"] !== undefined || headers["content-length"] !== undefined;
  return isSent && readable.test(headers["content-type"] ?? "");
}

function read(request: Request, next: (error?: unknown) => void): void {
  const refusal = refusalOf(request);
  if (refusal !== null) {
    next(refusal);
    return;
  }
  const chunks: Buffer[] = [];
  let length = 0;
  // The first of these ends it; errors after that are of a connection that nobody waits for any more.
  const done = (error: HttpProblem | null) => {
    request.off("data", onData).off("end", onEnd).off("close", onClose);
    if (error !== null) next(error);
    else parse(request, chunks, next);
  };
  const onData = (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > longest) done(tooLarge());
  };
  const onEnd = () => done(null);
  const onClose = () => done(fault(400, "must be complete"));
  request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", () => undefined);
}

/** What the headers say is enough for these. */
function refusalOf({ headers }: Request): HttpProblem | null {
  if ((headers["content-encoding"] ?? "identity").toLowerCase() !== "identity") return fault(415, "must not be compressed");
  const [, name = "utf-8"] = charset.exec(headers["content-type"] ?? "") ?? [];
  if (name.toLowerCase() !== "utf-8") return fault(415, "must be UTF-8");
  return Number(headers["content-length"] ?? 0) > longest ? tooLarge() : null;
}

/** No body at all is an empty object: the parser of the route names what is missing. */
function parse(request: Request, chunks: readonly Buffer[], next: (error?: unknown) => void): void {
  const [first = Buffer.alloc(0)] = chunks;
  const bytes = chunks.length > 1 ? Buffer.concat(chunks) : first;
  try {
    request.body = bytes.length === 0 ? {} : (JSON.parse(utf8.decode(bytes)) as unknown);
  } catch {
    next(fault(400, "must be valid JSON"));
    return;
  }
  next();
}

const tooLarge = () => fault(413, "must be no larger than 16 kB");

function fault(status: number, message: string): HttpProblem {
  return new HttpProblem(status, "The request is not valid", { faults: [{ field: "body", message }] });
}

/** As `response.json`, without what Express looks up on the way. */
export function sendJson(response: Response, body: object): void {
  const text = JSON.stringify(body);
  response.setHeader("Content-Type", "application/json; charset=utf-8");
  response.setHeader("Content-Length", Buffer.byteLength(text));
  response.end(text);
}
