import pg from "pg";
import { messageOf } from "../../domain/errors.ts";
import type { Logger } from "../../domain/ports.ts";

export interface ConnectOptions {
  /** Connections at most. */
  readonly max: number;
  /** A statement that takes longer is ended by the server, in milliseconds. */
  readonly statementTimeoutMilliseconds: number;
  /**
   * Whether a statement that the server should have ended by itself, and that nobody answers, is given up with its connection: the database vanished
   * without a word, and another connection may find it again. False, the default, waits for ever, as for statements with limits of their own.
   */
  readonly givesUpSilence: boolean;
  /**
   * A transaction in which nothing was asked for so long is undone by the server, in milliseconds: a process that was frozen, or whose machine is
   * gone, would keep its locks until TCP gives up, two hours later, and no other operator could lead.
   */
  readonly idleTransactionMilliseconds: number;
  /** Waiting for a connection ends after this, in milliseconds. */
  readonly connectTimeoutMilliseconds: number;
  readonly applicationName: string;
}

const DEFAULTS: ConnectOptions = {
  ...{ max: 10, statementTimeoutMilliseconds: 30_000, givesUpSilence: false },
  ...{ idleTransactionMilliseconds: 30_000, connectTimeoutMilliseconds: 5_000, applicationName: "dialplane" },
};

/** What an answer may take on its way. */
const ON_ITS_WAY_MILLISECONDS = 2_000;

/** A connection pool. An idle connection that the server ends is only logged: the next query opens another. */
export function connect(url: string, logger: Logger, options: Partial<ConnectOptions> = {}): pg.Pool {
  const { max, statementTimeoutMilliseconds, givesUpSilence, idleTransactionMilliseconds, connectTimeoutMilliseconds, applicationName } = { ...DEFAULTS, ...options };
  const pool = new pg.Pool({
    connectionString: url,
    max,
    statement_timeout: statementTimeoutMilliseconds,
    query_timeout: givesUpSilence ? statementTimeoutMilliseconds + ON_ITS_WAY_MILLISECONDS : 0,
    idle_in_transaction_session_timeout: idleTransactionMilliseconds,
    connectionTimeoutMillis: connectTimeoutMilliseconds,
    application_name: applicationName,
    // A process that is done must not wait for a server that is gone to take leave of its idle connections.
    allowExitOnIdle: true,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // The pool listens only while a connection is idle and only once; one that is in use between two statements, or being closed, may
  // be told of its end too, and an error that nobody listens for ends the process. Whoever uses it learns of it from his next statement.
  pool.on("connect", (client) => client.on("error", () => undefined));
  pool.on("error", (error) => logger.warn({ error: messageOf(error) }, "lost an idle database connection"));
  return pool;
}
