import type pg from "pg";

/** One reconcile writes at a time, until its transaction ends. `claim_numbers` (sql/000002.sql) asks for the same lock, shared. */
export async function lockWrites(client: pg.PoolClient): Promise<void> {
  await client.query("select pg_advisory_xact_lock(724601339)");
}
