import { setTimeout as sleep } from "node:timers/promises";

/** Failures that say "nothing happened, try again": serialization_failure and deadlock_detected (PostgreSQL, appendix A). */
const TRANSIENT = new Set(["40001", "40P01"]);
const ATTEMPTS = 4;

/** Repeats a transaction that the server undid for no fault of its own. Everything else goes up at once. */
export async function retrying<T>(transaction: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transaction();
    } catch (error) {
      if (attempt === ATTEMPTS || !TRANSIENT.has(sqlState(error) ?? "")) throw error;
      await sleep(5 * attempt * (1 + Math.random()));
    }
  }
}

/** SQLSTATE of a failure that Postgres reported; undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
