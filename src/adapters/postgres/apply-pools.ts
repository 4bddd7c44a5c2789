import type pg from "pg";
import type { DesiredState } from "../../domain/ports.ts";
import { normalise, parseRange, subtract, type RangeSet } from "../../domain/ranges.ts";
import { toDid } from "./did.ts";
import { parseE164 } from "../../domain/e164.ts";

type DesiredPool = DesiredState["pools"][number];

interface PresentPool {
  readonly uid: string;
  readonly removed: boolean;
  readonly owned: readonly { readonly from: string; readonly to: string }[];
  readonly reclaim: string;
}

/** Pools and their numbers. Answers whether anything was written. */
export async function applyPools(client: pg.PoolClient, desired: readonly DesiredPool[]): Promise<boolean> {
  const { rows } = await client.query<PresentPool>(
    "select uid, removed_at is not null as removed, owned, spec ->> 'reclaimPolicy' as reclaim from pool",
  );
  const present = new Map(rows.map((row) => [row.uid, row]));
  const wanted = new Set(desired.map((pool) => pool.uid));
  // What leaves goes first: a number may move from one pool to another, and a key to a new object.
  const removed = rows.filter((row) => !row.removed && !wanted.has(row.uid));
  for (const pool of removed) await removePool(client, pool);
  const changes = desired.map((pool) => ({ pool, ...ownedChange(pool, present.get(pool.uid)) }));
  for (const { pool, leaving } of changes) await retireNumbers(client, pool.uid, leaving);
  const written = await upsertPools(client, desired);
  for (const { pool, joining } of changes) await addNumbers(client, pool.uid, joining);
  return removed.length > 0 || written > 0;
}

/** What comes and what goes, as ranges. A removed pool that is back owns everything anew. */
function ownedChange(pool: DesiredPool, present: PresentPool | undefined): { readonly joining: RangeSet; readonly leaving: RangeSet } {
  const before = present === undefined ? [] : toSet(present.owned);
  const after = leasable(pool);
  return { joining: present?.removed === true ? after : subtract(after, before), leaving: subtract(before, after) };
}

/** The overflow number is shared and never lent: it is not among the numbers. */
function leasable(pool: DesiredPool): RangeSet {
  const overflow = overflowOf(pool);
  const owned = toSet(pool.owned);
  return overflow === null ? owned : subtract(owned, toSet([{ from: overflow, to: overflow }]));
}

function overflowOf(pool: DesiredPool): string | null {
  const { type, overflow } = pool.spec.assignment.onExhausted;
  return type === "Overflow" && overflow !== undefined ? overflow.number : null;
}

function toSet(ranges: readonly { readonly from: string; readonly to: string }[]): RangeSet {
  return normalise(ranges.map((range) => parseRange(range)));
}

function rangesAsJson(set: RangeSet): string {
  return JSON.stringify(set.map(({ first, last }) => ({ first, last })));
}

/** Leases are honoured to their end, then nobody gets these numbers; should the pool list them again, they come back as they are. */
async function retireNumbers(client: pg.PoolClient, uid: string, ranges: RangeSet): Promise<void> {
  if (ranges.length === 0) return;
  await client.query(
    `update number n set in_service = false
     from jsonb_to_recordset($2::jsonb) as r (first bigint, last bigint)
     where n.pool_uid = $1::text and n.did between r.first and r.last and n.in_service`,
    [uid, rangesAsJson(ranges)],
  );
}

/**
 * A number that another pool had comes with its lease times: what was promised there holds, and its cool-down too.
 * A prospect who meanwhile holds another number of this pool keeps that one.
 */
async function addNumbers(client: pg.PoolClient, uid: string, ranges: RangeSet): Promise<void> {
  if (ranges.length === 0) return;
  const values = [uid, rangesAsJson(ranges)];
  await client.query(
    `update number n set superseded = true
     from jsonb_to_recordset($2::jsonb) as r (first bigint, last bigint)
     where n.did between r.first and r.last and n.prospect_id is not null
       and exists (select from number o where o.pool_uid = $1::text and o.prospect_id = n.prospect_id and o.in_service and not o.superseded and o.did <> n.did)`,
    values,
  );
  await client.query(
    `insert into number as n (did, pool_uid)
     select d, $1::text
     from jsonb_to_recordset($2::jsonb) as r (first bigint, last bigint)
     cross join lateral generate_series(r.first, r.last) as d
     on conflict (did) do update set pool_uid = excluded.pool_uid, in_service = true`,
    values,
  );
}

/** Numbers retire; the history stays unless the pool's reclaimPolicy was Delete. Other pools' rows are not touched. */
async function removePool(client: pg.PoolClient, pool: PresentPool): Promise<void> {
  await client.query("update pool set removed_at = now() where uid = $1::text", [pool.uid]);
  await client.query("update number set in_service = false where pool_uid = $1::text and in_service", [pool.uid]);
  if (pool.reclaim !== "Delete") return;
  await client.query("delete from association where pool_uid = $1::text", [pool.uid]);
  await client.query("delete from number where pool_uid = $1::text and free_at <= now()", [pool.uid]);
}

async function upsertPools(client: pg.PoolClient, desired: readonly DesiredPool[]): Promise<number> {
  const { rowCount } = await client.query(
    `insert into pool as p (uid, key, created_at, generation, labels, spec, owned, lease, cooldown, attribution_window, on_exhausted, overflow)
     select e.uid, e.key, e.created_at, e.generation, e.labels, e.spec, e.owned,
       make_interval(secs => e.lease), make_interval(secs => e.cooldown), make_interval(secs => e.attribution_window), e.on_exhausted, e.overflow
     from jsonb_to_recordset($1::jsonb) as e (
       uid text, key text, created_at timestamptz, generation bigint, labels jsonb, spec jsonb, owned jsonb,
       lease double precision, cooldown double precision, attribution_window double precision, on_exhausted text, overflow bigint
     )
     on conflict (uid) do update set
       key = excluded.key, created_at = excluded.created_at, generation = excluded.generation, labels = excluded.labels, spec = excluded.spec,
       owned = excluded.owned, lease = excluded.lease, cooldown = excluded.cooldown, attribution_window = excluded.attribution_window,
       on_exhausted = excluded.on_exhausted, overflow = excluded.overflow, removed_at = null
       where (p.key, p.created_at, p.generation, p.labels, p.spec, p.owned, p.overflow, p.removed_at)
         is distinct from (excluded.key, excluded.created_at, excluded.generation, excluded.labels, excluded.spec, excluded.owned, excluded.overflow, null::timestamptz)`,
    [JSON.stringify(desired.map(poolRow))],
  );
  return rowCount ?? 0;
}

function poolRow(pool: DesiredPool) {
  const { assignment } = pool.spec;
  const overflow = overflowOf(pool);
  const number = overflow === null ? null : parseE164(overflow);
  return {
    uid: pool.uid,
    key: pool.key,
    created_at: pool.createdAt,
    generation: pool.generation,
    labels: pool.labels,
    spec: pool.spec,
    owned: leasableRanges(pool),
    lease: assignment.leaseSeconds,
    cooldown: assignment.cooldownSeconds,
    attribution_window: assignment.attributionWindowSeconds,
    on_exhausted: assignment.onExhausted.type,
    overflow: number === null ? null : toDid(number),
  };
}

function leasableRanges(pool: DesiredPool) {
  return leasable(pool).map(({ first, last }) => ({ from: `+${first}`, to: `+${last}` }));
}
