import type pg from "pg";
import { BATCH } from "./retention-lock.ts";
import { retrying } from "./retry.ts";

/**
 * What pools with reclaimPolicy Delete leave behind. The reconcile that deletes a pool only notes it (docs/decisions/0043): how much there is to
 * delete nobody knows, and some of it comes later, as records of calls that are in progress do.
 */

/** Removed for good: neither declared nor out of service for now. */
const DELETED = `p.removed_at is not null and p.spec ->> 'reclaimPolicy' = 'Delete'
  and not exists (select from unnest($1::text[]) as d (uid) where d.uid = p.uid)`;

/**
 * In the transaction that makes the pools be what is declared: a pool that comes back, or is to be retained after all, keeps what is left.
 * @param declared uids of pools that are there, in service or not
 */
export async function noteRemains(client: pg.PoolClient, declared: readonly string[]): Promise<void> {
  await client.query(`delete from pool_remains r where not exists (select from pool p where p.uid = r.pool_uid and ${DELETED})`, [declared]);
  await client.query(`insert into pool_remains (pool_uid) select p.uid from pool p where ${DELETED} on conflict (pool_uid) do nothing`, [declared]);
}

/**
 * Deletes what noted pools left behind and may go by now: numbers whose promise and cool-down are over, calls that have ended, the history of
 * assignments. Bounded statements, as many as are needed; where there is nothing, some milliseconds.
 */
export async function cleanUpRemains(pool: pg.Pool, signal: AbortSignal): Promise<void> {
  const { rows } = await pool.query<{ at: string; unseen: boolean | null }>("select now()::text as at, bool_or(not looked_through) as unseen from pool_remains");
  const { at, unseen } = rows[0] ?? { at: "", unseen: null };
  // An aggregate over no row.
  if (unseen === null) return;
  await inBatches(pool, NUMBERS, signal);
  await inBatches(pool, CALLS, signal);
  if (unseen) await throughAssociations(pool, at, signal);
}

async function inBatches(pool: pg.Pool, statement: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const { rowCount } = await retrying(() => pool.query(statement, [BATCH]));
    if ((rowCount ?? 0) === 0) return;
  }
}

async function throughAssociations(pool: pg.Pool, startedAt: string, signal: AbortSignal): Promise<void> {
  for (let after: string | null = "0"; after !== null; ) {
    signal.throwIfAborted();
    const values: [string, number] = [after, BATCH];
    const { rows } = await retrying(() => pool.query<{ last: string | null }>(ASSOCIATIONS, values));
    after = rows[0]?.last ?? null;
  }
  await pool.query("update pool_remains set looked_through = true where not looked_through and noted_at < $1::timestamptz - $2::interval", [startedAt, LONGEST_CLAIM]);
}

/** A claim that was under way when the pool left may write of it so much later: who begins to look after that sees everything. */
const LONGEST_CLAIM = "1 minute";

/**
 * A promise and its cool-down are kept to their end. "Between", here and below, so that Postgres takes the index: of an equal key it expects as many
 * rows as keys have on average, and goes through the whole table to find so many at once, where there is none.
 */
const NUMBERS = `delete from number n
  using (
    select l.did
    from pool_remains r
    cross join lateral (
      select did from number where pool_uid between r.pool_uid and r.pool_uid and not in_service and free_at <= now() limit $1::int
    ) l
    limit $1::int
  ) left_behind
  where n.did = left_behind.did and not n.in_service and n.free_at <= now() and n.pool_uid in (select pool_uid from pool_remains)`;

/** Calls are known by the pool's key: those until the pool was removed are its own, and those after that until another one of its name was made. */
const CALLS = `with life as materialized (
    select uid, key, created_at as since, greatest(removed_at, coalesce(lead(created_at) over (partition by key order by removed_at), 'infinity')) as until
    from pool where key in (select p.key from pool_remains r join pool p on p.uid = r.pool_uid)
  )
  delete from call c
  using (
    select l.id
    from pool_remains r
    join life on life.uid = r.pool_uid
    cross join lateral (
      select id from call
      where pool_key between life.key and life.key and received_at >= life.since and received_at < life.until and ended_at is not null
      limit $1::int
    ) l
    limit $1::int
  ) left_behind
  where c.id = left_behind.id`;

/**
 * By pages in the order of their identity, so that no index on pools is needed, which every claim would pay for. A lease that another pool took
 * over with its number is that pool's. No number knows whom it was lent to before when nothing tells of that any more: an erasure looks there.
 */
const ASSOCIATIONS = `with page as materialized (
    select id, did, pool_uid, prospect_id, leased_from from association where id > $1::bigint order by id limit $2::int
  ),
  found as materialized (
    select a.id, heir.pool_uid as heir
    from page a
    join pool_remains r on r.pool_uid = a.pool_uid and not r.looked_through
    left join number heir on heir.did = a.did and heir.leased_from = a.leased_from and heir.prospect_id is not null
      and heir.pool_uid <> a.pool_uid and not exists (select from pool_remains o where o.pool_uid = heir.pool_uid)
  ),
  inherited as (
    update association a set pool_uid = f.heir from found f where a.id = f.id and f.heir is not null
  ),
  deleted as (
    delete from association a using found f where a.id = f.id and f.heir is null returning a.did, a.prospect_id
  ),
  forgotten as (
    update number n set previous_prospect_id = null
    from deleted d
    where n.did = d.did
      and coalesce((select m.merged_into from prospect m where m.id = n.previous_prospect_id), n.previous_prospect_id) = d.prospect_id
  )
  select max(id) as last from page`;
