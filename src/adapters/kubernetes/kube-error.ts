import { isRecord } from "../../shared/json.ts";

/**
 * A request that did not succeed. `status` is the HTTP status, 0 when there was no answer; `reason` is the machine-readable
 * reason of metav1.Status ("NotFound", "Conflict", "Expired"), or one of `Unreachable`, `Timeout`, `Aborted`, `Malformed`.
 */
export class KubeError extends Error {
  readonly status: number;
  readonly reason: string;
  /** How long the server asks to wait. */
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, reason: string, message: string, options: { retryAfterSeconds?: number | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "KubeError";
    this.status = status;
    this.reason = reason;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** Longest piece of a server's own words in a message. */
const MAX_MESSAGE = 500;

/**
 * An answer of 300 and more, or the object of an ERROR event.
 * @param body metav1.Status where the API server itself answered; anything where a proxy did
 */
export function errorOfStatus(status: number, body: unknown, retryAfter?: string): KubeError {
  const { reason, message, details, code } = isRecord(body) ? body : {};
  const said = typeof message === "string" ? message : "";
  const seconds = isRecord(details) ? details["retryAfterSeconds"] : undefined;
  const actual = status === 0 && typeof code === "number" ? code : status;
  return new KubeError(actual, typeof reason === "string" && reason !== "" ? reason : `Http${actual}`, clean(said) || `HTTP ${actual}`, {
    retryAfterSeconds: positive(Number(retryAfter)) ?? positive(seconds),
  });
}

/** The collection's history before a resourceVersion, or behind a continue token, is gone: only a new list helps. */
export function isGone(error: unknown): boolean {
  return error instanceof KubeError && (error.status === 410 || error.reason === "Expired" || error.reason === "Gone");
}

export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404;
}

export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409;
}

function positive(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : undefined;
}

function clean(text: string): string {
  const line = text.replace(/[\p{Cc}\s]+/gu, " ").trim();
  return line.length <= MAX_MESSAGE ? line : `${line.slice(0, MAX_MESSAGE)}...`;
}
