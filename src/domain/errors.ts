/**
 * A failure that was foreseen: it becomes a condition, an HTTP problem, a SIP refusal or exit code 2.
 * Everything else is a bug or an outage and is wrapped with what was being done.
 */
export class ExpectedError extends Error {
  readonly code: ErrorCode;
  /** The offending field as a path (`spec.ranges[0].to`, `DIALPLANE_HTTP_PORT`), where there is one. */
  readonly field: string | undefined;

  constructor(code: ErrorCode, message: string, options: { field?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "ExpectedError";
    this.code = code;
    this.field = options.field;
  }
}

export type ErrorCode =
  | "InvalidInput" // a manifest, request, flag or environment variable out of format
  | "NotFound" // the thing named does not exist
  | "Conflict" // somebody else holds it
  | "Forbidden" // origin, signature or token does not allow it
  | "Unavailable" // a part is down or over capacity; try again
  | "PortInUse" // an address we must listen on is taken
  | "PermissionDenied" // the operating system said no
  | "MissingPart" // Asterisk, Postgres, SIPp or a browser is not to be had
  | "SchemaTooNew" // the database was migrated by a newer release
  | "StaleRevision"; // what was to be written is older than what is there

/** The message of anything thrown, one line. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ");
}

/** What it came from in the end, where an error says only that something failed ("fetch failed"). */
export function rootCauseOf(error: unknown): string {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return messageOf(root) || String((root as { readonly code?: unknown } | undefined)?.code ?? root);
}

/** Adds what was being done; keeps an expected error's code so that callers can still decide by it. */
export function wrap(doing: string, error: unknown): Error {
  const message = `while ${doing}: ${messageOf(error)}`;
  if (error instanceof ExpectedError) {
    return new ExpectedError(error.code, message, { cause: error, ...(error.field === undefined ? {} : { field: error.field }) });
  }
  return new Error(message, { cause: error });
}
