import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

import { ExpectedError, messageOf } from "../../domain/errors.ts";

/** Failures that say "nothing happened, try again": serialization_failure and deadlock_detected (PostgreSQL, appendix A). */
const TRANSIENT = new Set(["40001", "40P01"]);
/**
 * The server went away or is coming back (class 08, admin_shutdown, crash_shutdown, cannot_connect_now), or ended a transaction that was
 * silent for too long (idle_in_transaction_session_timeout), as SQLSTATE or as errno.
 */
const LOST = new Set(["08000", "08001", "08003", "08006", "25P03", "57P01", "57P02", "57P03", "ECONNRESET", "ECONNREFUSED", "EPIPE"]);
/** read_only_sql_transaction: a stand-by, as while a failover is under way. Another connection may reach the server that can be written to. */
const READ_ONLY = "25006";
/** The driver's own words, without a code; the second is said of a connection that broke between two statements of a transaction. */
const LOST_IN_WORDS = /^Connection terminated|^Client (?:has encountered a connection error|was closed) and is not queryable/;
/**
 * Two transactions gave one prospect a number of one pool, made a log-in, or a device of a prospect just erased: the constraint let
 * one of them pass. The other sees it now.
 */
const LOST_RACES = new Set(["number_held", "person_prospect", "person_prospect_id_fkey", "device_prospect_id_fkey"]);
/** The driver's own words when its pool had no connection in time; without a code, too. */
const NONE_TO_BE_HAD = /^timeout exceeded when trying to connect/;
/**
 * The database is away or full: system errors, and SQLSTATE classes 08 (connection), 53 (resources), 57 (shutdown, time-out) and 3D (the
 * database is gone). https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const AWAY = /^(?:ECONN|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_|EPIPE|(?:08|53|57|3D)[0-9A-Z]{3}$)/;
const ATTEMPTS = 4;

/**
 * Repeats a transaction that failed for no fault of its own. It must be idempotent: when a connection is lost, nobody knows whether
 * the commit came through. Everything else goes up at once.
 * @throws ExpectedError Unavailable when the database stays away
 */
export async function retrying<T>(transaction: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transaction();
    } catch (error) {
      const lost = isLost(error);
      if (attempt === ATTEMPTS && lost) throw new ExpectedError("Unavailable", `the database is not reachable: ${messageOf(error)}`, { cause: error });
      if (attempt === ATTEMPTS || !(lost || isTransient(error))) throw error;
      await sleep((lost ? 50 : 5) * attempt * (1 + Math.random()));
    }
  }
}

function isTransient(error: unknown): boolean {
  return TRANSIENT.has(sqlState(error) ?? "") || (error instanceof pg.DatabaseError && LOST_RACES.has(error.constraint ?? ""));
}

function isLost(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return LOST.has(code) || LOST_IN_WORDS.test(messageOf(error)) || isReadOnly(error);
}

/** Of transactions that are to write. */
export function isReadOnly(error: unknown): boolean {
  return sqlState(error) === READ_ONLY;
}

/** Its connection is silent, or answers the same for as long as it lasts: whoever asks again needs another one. */
export function needsAnotherConnection(error: unknown): error is Error {
  return isSilence(error) || isReadOnly(error);
}

/** Nobody answered within the limit of the connection (`query_timeout` of the driver, which has no code for it), and nobody would answer anything else. */
function isSilence(error: unknown): error is Error {
  return error instanceof Error && error.message === "Query read timeout";
}

/** The fault is neither ours nor that of whoever asked: the same may be asked again in a while. */
export function isDatabaseOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? String(error.code) : "";
  return AWAY.test(code) || isLost(error) || NONE_TO_BE_HAD.test(error.message) || isSilence(error);
}

/** SQLSTATE of a failure that Postgres reported; undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/**
 * The state of the server rather than of what was asked: connection exception, insufficient resources, operator intervention
 * (shutdown, time-out), system error, internal error (PostgreSQL, appendix A). All of a batch would fail the same, one by one.
 */
const SERVER_STATES = ["08", "53", "57", "58", "XX"];

/** Of a batch. The statement's transaction was undone, so a second try is safe; without SQLSTATE nobody knows whether it was. */
export function isFaultOfOneItem(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && !SERVER_STATES.includes(state.slice(0, 2));
}
