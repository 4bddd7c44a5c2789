import type { ErrorRequestHandler, Response } from "express";
import { ExpectedError, messageOf, type ErrorCode } from "../domain/errors.ts";
import type { Logger } from "../domain/ports.ts";

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
  if (problem.retryAfterSeconds !== undefined) response.set("Retry-After", String(problem.retryAfterSeconds));
  const [first] = problem.faults;
  response
    .status(problem.status)
    .set("Cache-Control", "no-store")
    .type("application/problem+json")
    .send(
      JSON.stringify({
        title: problem.title,
        status: problem.status,
        detail: problem.message,
        ...(first === undefined ? {} : { field: first.field, errors: problem.faults }),
      }),
    );
}

/** Last in the chain. Clients see what they can act on; stack traces and unexpected messages go to the log only. */
export function problemHandler(logger: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    const problem = toProblem(error);
    if (problem.status >= 500) logger.error({ err: error, method: request.method, route: request.path.slice(0, 100) }, "a request failed");
    if (response.headersSent) next(error);
    else sendProblem(response, problem);
  };
}

function toProblem(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof ExpectedError) return ofExpected(error);
  if (isOutage(error)) return new HttpProblem(503, "Try again later", { retryAfterSeconds: unavailableSeconds });
  return ofBodyParser(error) ?? new HttpProblem(500, "Internal error", { detail: "the service could not answer; the page keeps its own number" });
}

/**
 * The database is away or full, not our fault nor the client's: system errors, and SQLSTATE classes 08 (connection), 53 (resources),
 * 57 (shutdown, time-out) and 3D (the database is gone). https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // The driver's own words for a connection lost or not to be had; they come without a code.
  if (/^Connection terminated|^timeout exceeded when trying to connect/.test(error.message)) return true;
  const code = "code" in error ? error.code : undefined;
  return typeof code === "string" && /^(?:ECONN|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_|EPIPE|(?:08|53|57|3D)[0-9A-Z]{3}$)/.test(code);
}

function ofExpected(error: ExpectedError): HttpProblem {
  const answer = answers[error.code];
  if (answer === undefined) return new HttpProblem(500, "Internal error");
  // Messages of outages are for operators: they may name hosts.
  if (answer.status === 503) return new HttpProblem(503, answer.title, { retryAfterSeconds: unavailableSeconds });
  const faults = error.field === undefined ? [] : [{ field: error.field, message: error.message }];
  return new HttpProblem(answer.status, answer.title, { faults, detail: messageOf(error) });
}

const bodyFaults: Readonly<Record<string, string>> = {
  "entity.too.large": "must be no larger than 16 kB",
  "entity.parse.failed": "must be valid JSON",
  "encoding.unsupported": "must not be compressed",
  "charset.unsupported": "must be UTF-8",
  "request.size.invalid": "must be as long as Content-Length says",
  "request.aborted": "must be complete",
};

/** Errors of Express and its body parser carry a status below 500 when the client is at fault (package http-errors). */
function ofBodyParser(error: unknown): HttpProblem | null {
  if (!(error instanceof Error)) return null;
  const { status, type } = error as { status?: unknown; type?: unknown };
  if (typeof status !== "number" || status < 400 || status > 499) return null;
  const message = typeof type === "string" ? bodyFaults[type] : undefined;
  return new HttpProblem(status, "The request is not valid", message === undefined ? {} : { faults: [{ field: "body", message }] });
}
