import pg from "pg";
import { messageOf } from "../../domain/errors.ts";
import type { Logger } from "../../domain/ports.ts";

export interface ConnectOptions {
  /** Connections at most. */
  readonly max: number;
  /** A statement that takes longer is ended by the server, in milliseconds. */
  readonly statementTimeoutMilliseconds: number;
  /** A statement that nobody answers, not even the server, is given up with its connection, in milliseconds; 0, the default, waits for ever. */
  readonly silenceTimeoutMilliseconds: number;
  /** Waiting for a connection ends after this, in milliseconds. */
  readonly connectTimeoutMilliseconds: number;
  readonly applicationName: string;
}

const DEFAULTS: ConnectOptions = { max: 10, statementTimeoutMilliseconds: 30_000, silenceTimeoutMilliseconds: 0, connectTimeoutMilliseconds: 5_000, applicationName: "dialplane" };

/** A connection pool. An idle connection that the server ends is only logged: the next query opens another. */
export function connect(url: string, logger: Logger, options: Partial<ConnectOptions> = {}): pg.Pool {
  const { max, statementTimeoutMilliseconds, silenceTimeoutMilliseconds, connectTimeoutMilliseconds, applicationName } = { ...DEFAULTS, ...options };
  const pool = new pg.Pool({
    connectionString: url,
    max,
    statement_timeout: statementTimeoutMilliseconds,
    query_timeout: silenceTimeoutMilliseconds,
    connectionTimeoutMillis: connectTimeoutMilliseconds,
    application_name: applicationName,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // The pool listens only while a connection is idle and only once; one that is in use between two statements, or being closed, may
  // be told of its end too, and an error that nobody listens for ends the process. Whoever uses it learns of it from his next statement.
  pool.on("connect", (client) => client.on("error", () => undefined));
  pool.on("error", (error) => logger.warn({ error: messageOf(error) }, "lost an idle database connection"));
  return pool;
}
