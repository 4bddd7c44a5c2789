import { request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { messageOf } from "../../domain/errors.ts";
import type { Connection } from "./connection.ts";
import { KubeError } from "./kube-error.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface HttpCall {
  readonly method: Method;
  /** Below the server's own path. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly signal: AbortSignal;
}

/** A page of 500 objects of the largest size that etcd stores is larger; nothing real is. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/**
 * Sends a request and answers once the headers are there; the caller reads the body.
 * @throws KubeError `Unreachable`, or what `signal` was aborted with
 */
export function send(connection: Connection, call: HttpCall): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(lost(error, call.signal));
    const request = open(connection, call);
    request.once("response", resolve);
    // Stays: a connection may break more than once, and an error that nobody hears ends the process.
    request.on("error", fail);
    if (call.signal.aborted) fail(new Error("aborted"));
    request.end(call.body);
  });
}

function open({ server, agent, headers }: Connection, call: HttpCall): ClientRequest {
  const content = call.body === undefined ? {} : { "Content-Type": call.contentType ?? "application/json", "Content-Length": Buffer.byteLength(call.body) };
  return (server.protocol === "http:" ? httpRequest : httpsRequest)({
    host: server.hostname.replace(/^\[|\]$/g, ""),
    port: server.port || (server.protocol === "http:" ? 80 : 443),
    path: `${server.pathname.replace(/\/$/, "")}${call.path}`,
    method: call.method,
    agent,
    headers: { Accept: "application/json", "User-Agent": "dialplane", ...headers, ...content },
    signal: call.signal,
  });
}

/** @throws KubeError as `send`, and `Malformed` for more bytes than any answer has */
export async function readText(response: IncomingMessage, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) throw new KubeError(0, "Malformed", `must have at most ${MAX_ANSWER_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw lost(error, signal);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Why a connection ended, in our words: the signal's reason is the cause where there is one. */
export function lost(error: unknown, signal: AbortSignal): KubeError {
  const cause: unknown = signal.aborted ? signal.reason : error;
  if (cause instanceof KubeError) return cause;
  const name = cause instanceof Error ? cause.name : "";
  if (name === "TimeoutError") return new KubeError(0, "Timeout", "the API server did not answer in time", { cause });
  if (signal.aborted) return new KubeError(0, "Aborted", "the request was aborted", { cause });
  return new KubeError(0, "Unreachable", `the API server can't be reached: ${described(error)}`, { cause: error });
}

/** Of several addresses tried, Node gives an AggregateError without words. */
function described(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join("; ");
  return messageOf(error);
}
