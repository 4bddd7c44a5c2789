import type { ErrorRequestHandler, Response } from "express";
import { isDatabaseOutage } from "../adapters/postgres/retry.ts";
import { ExpectedError, messageOf, type ErrorCode } from "../domain/errors.ts";
import type { Logger } from "../domain/ports.ts";
import { throttle } from "../shared/throttle.ts";

/** One fault of a request: the field as a path (`elements[1].pool`), and what is allowed there. */
export interface Fault {
  readonly field: string;
  readonly message: string;
}

/** What a client did wrong, or what it must wait for. Becomes an RFC 9457 problem. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly title: string;
  readonly faults: readonly Fault[];
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, title: string, options: { faults?: readonly Fault[]; detail?: string; retryAfterSeconds?: number } = {}) {
    super(options.detail ?? options.faults?.map((fault) => `${fault.field} ${fault.message}`).join("; ") ?? title);
    this.name = "HttpProblem";
    this.status = status;
    this.title = title;
    this.faults = options.faults ?? [];
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** What an expected failure is to an HTTP client; whatever is not here is our own fault: 500. */
const answers: Partial<Record<ErrorCode, { readonly status: number; readonly title: string }>> = {
  InvalidInput: { status: 400, title: "The request is not valid" },
  NotFound: { status: 404, title: "Not found" },
  Conflict: { status: 409, title: "Conflict" },
  Forbidden: { status: 403, title: "Not allowed" },
  Unavailable: { status: 503, title: "Try again later" },
};

const unavailableSeconds = 5;

export function sendProblem(response: Response, problem: HttpProblem): void {
  response.status(problem.status).set(problemHeaders(problem)).send(problemText(problem));
}

export function problemHeaders({ retryAfterSeconds }: HttpProblem): Readonly<Record<string, string>> {
  return {
    ...(retryAfterSeconds === undefined ? {} : { "Retry-After": String(retryAfterSeconds) }),
    "Cache-Control": "no-store",
    "Content-Type": "application/problem+json; charset=utf-8",
  };
}

export function problemText({ title, status, message, faults }: HttpProblem): string {
  const [first] = faults;
  return JSON.stringify({ title, status, detail: message, ...(first === undefined ? {} : { field: first.field, errors: faults }) });
}

/** Outages are the same for every request: one line a while says it, thousands a second would be an outage of their own. In milliseconds. */
const outageLogEvery = 1_000;

/** Last in the chain. Clients see what they can act on; stack traces and unexpected messages go to the log only. */
export function problemHandler(logger: Logger): ErrorRequestHandler {
  const outage = throttle((reason: string, requests) => logger.error({ reason, requests }, "requests were answered 503"), outageLogEvery);
  return (error: unknown, request, response, next) => {
    const problem = toProblem(error);
    if (problem.status === 503) outage(messageOf(error));
    else if (problem.status >= 500) logger.error({ err: error, method: request.method, route: request.path.slice(0, 100) }, "a request failed");
    if (response.headersSent) next(error);
    else sendProblem(response, problem);
  };
}

function toProblem(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof ExpectedError) return ofExpected(error);
  if (isDatabaseOutage(error)) return new HttpProblem(503, "Try again later", { retryAfterSeconds: unavailableSeconds });
  return ofExpress(error) ?? new HttpProblem(500, "Internal error", { detail: "the service could not answer; the page keeps its own number" });
}

function ofExpected(error: ExpectedError): HttpProblem {
  const answer = answers[error.code];
  if (answer === undefined) return new HttpProblem(500, "Internal error");
  // Messages of outages are for operators: they may name hosts.
  if (answer.status === 503) return new HttpProblem(503, answer.title, { retryAfterSeconds: unavailableSeconds });
  const faults = error.field === undefined ? [] : [{ field: error.field, message: error.message }];
  return new HttpProblem(answer.status, answer.title, { faults, detail: messageOf(error) });
}

/** Errors of Express carry a status below 500 when the client is at fault (package http-errors): an address that can't be decoded. */
function ofExpress(error: unknown): HttpProblem | null {
  const status = error instanceof Error && "status" in error ? error.status : undefined;
  if (typeof status !== "number" || status < 400 || status > 499) return null;
  return new HttpProblem(status, "The request is not valid");
}
