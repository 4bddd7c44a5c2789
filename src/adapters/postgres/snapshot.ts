import type pg from "pg";
import type { NumberPoolSpec, RoutingRuleSpec, SipTrunkSpec } from "../../domain/api.generated.ts";
import type { DialplanRevision, PoolEntry, Revision, RuleEntry, Snapshot, SnapshotChanges, TrunkEntry } from "../../domain/ports.ts";
import { hasHad, readOldestKnown, readRevision } from "./revision.ts";
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
      ...(await readRevision(client)),
      pools: (await readPools(client, EVERYTHING)).there,
      rules: await readRules(client, EVERYTHING),
      trunks: await readTrunks(client, EVERYTHING),
    }),
    ONE_MOMENT,
  );
}

/** Before the first revision. */
const EVERYTHING = -1;
const ONE_MOMENT = "begin isolation level repeatable read read only";

/**
 * What changed after that revision; null when that is not known: too long ago, or not a revision of this database, as after a failover to a copy
 * that lacked it.
 */
export async function readChanges(pool: pg.Pool, from: Revision): Promise<SnapshotChanges | null> {
  return inTransaction(
    pool,
    async (client) => {
      const now = await readRevision(client);
      const since = from.revision;
      if (since > now.revision || since < (await readOldestKnown(client)) || !(await hasHad(client, from))) return null;
      const pools = await readPools(client, since);
      const removed = await readRemovals(client, since);
      return {
        ...now,
        pools: pools.there,
        rules: await readRules(client, since),
        trunks: await readTrunks(client, since),
        gone: { pools: [...pools.gone, ...removed("pool")], rules: removed("rule"), trunks: removed("trunk") },
      };
    },
    ONE_MOMENT,
  );
}

async function readRemovals(client: pg.PoolClient, since: number): Promise<(kind: string) => readonly string[]> {
  const { rows } = await client.query<{ uid: string; kind: string }>("select uid, kind from removal where removed_with > $1::bigint", [since]);
  return (kind) => rows.filter((row) => row.kind === kind).map(({ uid }) => uid);
}

async function readPools(client: pg.PoolClient, since: number): Promise<{ readonly there: readonly PoolEntry[]; readonly gone: readonly string[] }> {
  const { rows } = await client.query<Common & { labels: Record<string, string>; spec: NumberPoolSpec; removed: boolean }>(
    `select uid, key, created_at, labels, spec, removed_at is not null as removed from pool
     where changed_with > $1::bigint and (removed_at is null or $1::bigint > $2::bigint) order by key`,
    [since, EVERYTHING],
  );
  const there = rows.filter(({ removed }) => !removed).map(({ uid, key, created_at, labels, spec }) => ({ uid, key, createdAt: created_at, labels, spec }));
  return { there, gone: rows.filter(({ removed }) => removed).map(({ uid }) => uid) };
}

async function readRules(client: pg.PoolClient, since: number): Promise<readonly RuleEntry[]> {
  const { rows } = await client.query<Common & { pools: string[]; spec: RoutingRuleSpec }>(
    "select uid, key, created_at, pools, spec from rule where changed_with > $1::bigint order by key",
    [since],
  );
  return rows.map(({ uid, key, created_at, pools, spec }) => ({ uid, key, createdAt: created_at, pools, spec }));
}

async function readTrunks(client: pg.PoolClient, since: number): Promise<readonly TrunkEntry[]> {
  const { rows } = await client.query<Common & { spec: SipTrunkSpec }>(
    "select uid, key, created_at, spec from trunk where changed_with > $1::bigint order by key",
    [since],
  );
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

/** Of the newest dialplan; null before the first one. */
export async function readDialplanHash(pool: pg.Pool): Promise<string | null> {
  const { rows } = await pool.query<{ hash: string }>("select hash from dialplan order by revision desc limit 1");
  return rows[0]?.hash ?? null;
}
