import type pg from "pg";
import type { NumberPoolSpec, RoutingRuleSpec, SipTrunkSpec } from "../../domain/api.generated.ts";
import type { DialplanRevision, PoolEntry, RuleEntry, Snapshot, TrunkEntry } from "../../domain/ports.ts";
import { inTransaction } from "./transaction.ts";

interface Common {
  readonly uid: string;
  readonly key: string;
  readonly created_at: Date;
}

/** Everything accepted, as of one moment. */
export async function readSnapshot(pool: pg.Pool): Promise<Snapshot> {
  return inTransaction(
    pool,
    async (client) => ({
      revision: await readRevision(client),
      pools: await readPools(client),
      rules: await readRules(client),
      trunks: await readTrunks(client),
    }),
    "begin isolation level repeatable read read only",
  );
}

/** Grows with every change of what is declared. */
export async function readRevision(queryable: Pick<pg.Pool, "query">): Promise<number> {
  const { rows } = await queryable.query<{ value: string }>("select value from revision");
  return Number(rows[0]?.value ?? 0);
}

async function readPools(client: pg.PoolClient): Promise<readonly PoolEntry[]> {
  const { rows } = await client.query<Common & { labels: Record<string, string>; spec: NumberPoolSpec }>(
    "select uid, key, created_at, labels, spec from pool where removed_at is null order by key",
  );
  return rows.map(({ uid, key, created_at, labels, spec }) => ({ uid, key, createdAt: created_at, labels, spec }));
}

async function readRules(client: pg.PoolClient): Promise<readonly RuleEntry[]> {
  const { rows } = await client.query<Common & { pools: string[]; spec: RoutingRuleSpec }>(
    "select uid, key, created_at, pools, spec from rule order by key",
  );
  return rows.map(({ uid, key, created_at, pools, spec }) => ({ uid, key, createdAt: created_at, pools, spec }));
}

async function readTrunks(client: pg.PoolClient): Promise<readonly TrunkEntry[]> {
  const { rows } = await client.query<Common & { spec: SipTrunkSpec }>("select uid, key, created_at, spec from trunk order by key");
  return rows.map(({ uid, key, created_at, spec }) => ({ uid, key, createdAt: created_at, spec }));
}

/** The dialplan that every pod should run; null before the first. */
export async function readDialplan(pool: pg.Pool): Promise<DialplanRevision | null> {
  const { rows } = await pool.query<{ revision: string; hash: string; marker: string; content: string }>(
    "select revision, hash, marker, content from dialplan order by revision desc limit 1",
  );
  const row = rows[0];
  return row === undefined ? null : { ...row, revision: Number(row.revision) };
}

export async function readDialplanHash(pool: pg.Pool): Promise<string | null> {
  const { rows } = await pool.query<{ hash: string }>("select hash from dialplan order by revision desc limit 1");
  return rows[0]?.hash ?? null;
}
