import type pg from "pg";
import type { Applied, AppliedState, DesiredState, DialplanRevision, Revision, RuleEntry, Term, TrunkEntry } from "../../domain/ports.ts";
import { differences, type Difference } from "./apply-difference.ts";
import { lockWrites } from "./apply-lock.ts";
import { applyPools } from "./apply-pools.ts";
import { assertTerm } from "./leadership.ts";
import { readRetiring } from "./read-retiring.ts";
import { hasHad, nextRevision, readRevision } from "./revision.ts";
import { storableJson } from "./text.ts";
import { inTransaction } from "./transaction.ts";

/** A million numbers take longer than any other statement may. */
const TIMEOUT = "set local statement_timeout = '10min'";

export interface ApplyOptions {
  /** Taken for granted only while the database is still at its revision. */
  readonly known?: AppliedState | undefined;
  /** Under which the write is made; without one (a single process that has the database for itself) nobody else writes. */
  readonly term?: Term | undefined;
}

/**
 * Makes the database be `desired` in one transaction: set-based, and only what differs is written. Nothing different:
 * nothing written, the revision stays.
 * @throws ExpectedError `StaleRevision` when the term is over
 */
export async function applyDesired(pool: pg.Pool, desired: DesiredState, { known, term }: ApplyOptions = {}): Promise<Applied> {
  return inTransaction(pool, async (client) => {
    await client.query(TIMEOUT);
    await lockWrites(client);
    if (term !== undefined) await assertTerm(client, term);
    const present = await readRevision(client);
    const { base, continues } = await whatIsThere(client, known, present);
    const changes = [
      await applyPools(client, desired, differences(desired.pools, base?.desired.pools)),
      await applyRules(client, differences(desired.rules, base?.desired.rules)),
      await applyTrunks(client, differences(desired.trunks, base?.desired.trunks)),
    ];
    const { numbers: retiring, firstEndsInSeconds } = await readRetiring(client);
    const dialplan = desired.dialplan(retiring);
    const isNew = base?.dialplan !== dialplan.hash && (await isNewDialplan(client, dialplan.hash));
    const changed = isNew || changes.includes(true);
    const now = changed ? await nextRevision(client) : present;
    if (isNew) await insertDialplan(client, now.revision, dialplan);
    return { ...now, changed, continues, dialplan: dialplan.hash, retiresInSeconds: firstEndsInSeconds };
  });
}

/** What was applied last, as long as nothing came after it; and whether the database has had it at all. */
async function whatIsThere(client: pg.PoolClient, known: AppliedState | undefined, present: Revision): Promise<{ readonly base: AppliedState | null; readonly continues: boolean }> {
  if (known === undefined) return { base: null, continues: true };
  // No other revision has its mark.
  if (known.mark === present.mark) return { base: known, continues: true };
  return { base: null, continues: await hasHad(client, known) };
}

async function applyRules(client: pg.PoolClient, { put, gone, present }: Difference<RuleEntry>): Promise<boolean> {
  const deleted = await deleteGone(client, "rule", gone, present);
  if (put.length === 0) return deleted;
  const written = await client.query(
    `insert into rule as r (uid, key, created_at, pools, spec)
     select e.uid, e.key, e.created_at, array(select jsonb_array_elements_text(e.pools)), e.spec
     from jsonb_to_recordset($1::jsonb) as e (uid text, key text, created_at timestamptz, pools jsonb, spec jsonb)
     on conflict (uid) do update set key = excluded.key, created_at = excluded.created_at, pools = excluded.pools, spec = excluded.spec
       where (r.key, r.created_at, r.pools, r.spec) is distinct from (excluded.key, excluded.created_at, excluded.pools, excluded.spec)`,
    [storableJson(put.map(({ uid, key, createdAt, pools, spec }) => ({ uid, key, created_at: createdAt, pools: [...pools].sort(), spec })))],
  );
  return deleted || anyRow(written);
}

async function applyTrunks(client: pg.PoolClient, { put, gone, present }: Difference<TrunkEntry>): Promise<boolean> {
  const deleted = await deleteGone(client, "trunk", gone, present);
  if (put.length === 0) return deleted;
  const written = await client.query(
    `insert into trunk as t (uid, key, created_at, spec)
     select e.uid, e.key, e.created_at, e.spec
     from jsonb_to_recordset($1::jsonb) as e (uid text, key text, created_at timestamptz, spec jsonb)
     on conflict (uid) do update set key = excluded.key, created_at = excluded.created_at, spec = excluded.spec
       where (t.key, t.created_at, t.spec) is distinct from (excluded.key, excluded.created_at, excluded.spec)`,
    [storableJson(put.map(({ uid, key, createdAt, spec }) => ({ uid, key, created_at: createdAt, spec })))],
  );
  return deleted || anyRow(written);
}

/** What is known to be gone; everything that is not present, when nothing is known of what was there. */
async function deleteGone(client: pg.PoolClient, table: "rule" | "trunk", gone: readonly string[] | null, present: readonly string[]): Promise<boolean> {
  if (gone === null) {
    return anyRow(await client.query(`delete from ${table} t where not exists (select from unnest($1::text[]) as u (uid) where u.uid = t.uid)`, [present]));
  }
  return gone.length > 0 && anyRow(await client.query(`delete from ${table} where uid = any ($1::text[])`, [gone]));
}

function anyRow(result: pg.QueryResult): boolean {
  return (result.rowCount ?? 0) > 0;
}

async function isNewDialplan(client: pg.PoolClient, hash: string): Promise<boolean> {
  const { rows } = await client.query<{ hash: string }>("select hash from dialplan order by revision desc limit 1");
  return rows[0]?.hash !== hash;
}

/** Old dialplans have no reader: a pod only ever asks for the newest. A few stay for people who look back. */
const KEPT_DIALPLANS = 10;

async function insertDialplan(client: pg.PoolClient, revision: number, dialplan: Omit<DialplanRevision, "revision">): Promise<void> {
  await client.query("insert into dialplan (revision, hash, marker, content) values ($1::bigint, $2::text, $3::text, $4::text)", [
    revision,
    dialplan.hash,
    dialplan.marker,
    dialplan.content,
  ]);
  await client.query("delete from dialplan where revision not in (select revision from dialplan order by revision desc limit $1::int)", [KEPT_DIALPLANS]);
}
