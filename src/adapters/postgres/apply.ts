import type pg from "pg";
import type { DesiredState, RuleEntry, TrunkEntry } from "../../domain/ports.ts";
import { applyPools } from "./apply-pools.ts";
import { inTransaction } from "./transaction.ts";

/** One reconcile writes at a time. */
const LOCK = "select pg_advisory_xact_lock(724601339)";
/** A million numbers take longer than any other statement may. */
const TIMEOUT = "set local statement_timeout = '10min'";

/**
 * Makes the database be `desired` in one transaction: set-based, and only what differs is written. Nothing different:
 * nothing written, the revision stays.
 */
export async function applyDesired(pool: pg.Pool, desired: DesiredState): Promise<{ readonly revision: number; readonly changed: boolean }> {
  return inTransaction(pool, async (client) => {
    await client.query(TIMEOUT);
    await client.query(LOCK);
    const changes = [
      await applyPools(client, desired.pools),
      await applyRules(client, desired.rules),
      await applyTrunks(client, desired.trunks),
      await isNewDialplan(client, desired.dialplan.hash),
    ];
    const changed = changes.includes(true);
    const revision = await nextRevision(client, changed);
    if (changes[3] === true) await insertDialplan(client, revision, desired.dialplan);
    return { revision, changed };
  });
}

async function applyRules(client: pg.PoolClient, rules: readonly RuleEntry[]): Promise<boolean> {
  const gone = await client.query("delete from rule r where not exists (select from unnest($1::text[]) as u (uid) where u.uid = r.uid)", [rules.map((rule) => rule.uid)]);
  const written = await client.query(
    `insert into rule as r (uid, key, created_at, pools, spec)
     select e.uid, e.key, e.created_at, array(select jsonb_array_elements_text(e.pools)), e.spec
     from jsonb_to_recordset($1::jsonb) as e (uid text, key text, created_at timestamptz, pools jsonb, spec jsonb)
     on conflict (uid) do update set key = excluded.key, created_at = excluded.created_at, pools = excluded.pools, spec = excluded.spec
       where (r.key, r.created_at, r.pools, r.spec) is distinct from (excluded.key, excluded.created_at, excluded.pools, excluded.spec)`,
    [JSON.stringify(rules.map(({ uid, key, createdAt, pools, spec }) => ({ uid, key, created_at: createdAt, pools: [...pools].sort(), spec })))],
  );
  return anyRow(gone, written);
}

async function applyTrunks(client: pg.PoolClient, trunks: readonly TrunkEntry[]): Promise<boolean> {
  const gone = await client.query("delete from trunk t where not exists (select from unnest($1::text[]) as u (uid) where u.uid = t.uid)", [trunks.map((trunk) => trunk.uid)]);
  const written = await client.query(
    `insert into trunk as t (uid, key, created_at, spec)
     select e.uid, e.key, e.created_at, e.spec
     from jsonb_to_recordset($1::jsonb) as e (uid text, key text, created_at timestamptz, spec jsonb)
     on conflict (uid) do update set key = excluded.key, created_at = excluded.created_at, spec = excluded.spec
       where (t.key, t.created_at, t.spec) is distinct from (excluded.key, excluded.created_at, excluded.spec)`,
    [JSON.stringify(trunks.map(({ uid, key, createdAt, spec }) => ({ uid, key, created_at: createdAt, spec })))],
  );
  return anyRow(gone, written);
}

function anyRow(...results: readonly pg.QueryResult[]): boolean {
  return results.some((result) => (result.rowCount ?? 0) > 0);
}

async function isNewDialplan(client: pg.PoolClient, hash: string): Promise<boolean> {
  const { rows } = await client.query<{ hash: string }>("select hash from dialplan order by revision desc limit 1");
  return rows[0]?.hash !== hash;
}

/** Old dialplans have no reader: a pod only ever asks for the newest. A few stay for people who look back. */
const KEPT_DIALPLANS = 10;

async function insertDialplan(client: pg.PoolClient, revision: number, dialplan: DesiredState["dialplan"]): Promise<void> {
  await client.query("insert into dialplan (revision, hash, marker, content) values ($1::bigint, $2::text, $3::text, $4::text)", [
    revision,
    dialplan.hash,
    dialplan.marker,
    dialplan.content,
  ]);
  await client.query("delete from dialplan where revision not in (select revision from dialplan order by revision desc limit $1::int)", [KEPT_DIALPLANS]);
}

/** The notification is sent when the transaction commits (PostgreSQL, NOTIFY). */
async function nextRevision(client: pg.PoolClient, changed: boolean): Promise<number> {
  const { rows } = await client.query<{ value: string }>(
    changed ? "update revision set value = value + 1 returning value" : "select value from revision",
  );
  const value = rows[0]?.value ?? "0";
  if (changed) await client.query("select pg_notify('dialplane_revision', $1::text)", [value]);
  return Number(value);
}
