import type pg from "pg";
import { ExpectedError } from "../../domain/errors.ts";
import type { DesiredState } from "../../domain/ports.ts";
import { parseRanges, subtract, type DigitRange, type RangeSet } from "../../domain/ranges.ts";
import type { Difference } from "./apply-difference.ts";
import { toDid } from "./did.ts";
import { noteRemains } from "./pool-remains.ts";
import { storableJson } from "./text.ts";
import { parseE164 } from "../../domain/e164.ts";

type DesiredPool = DesiredState["pools"][number];

interface PresentPool {
  readonly uid: string;
  readonly removed: boolean;
  readonly owned: readonly { readonly from: string; readonly to: string }[];
}

/** Pools and their numbers. Answers whether anything was written. */
export async function applyPools(client: pg.PoolClient, desired: DesiredState, { put, gone, present: wanted }: Difference<DesiredPool>): Promise<boolean> {
  if (put.length === 0 && gone?.length === 0 && (desired.leaving ?? []).length === 0) return false;
  assertDisjoint(desired.pools);
  const rows = await readPresent(client, gone === null ? null : [...put.map((pool) => pool.uid), ...gone]);
  const present = new Map(rows.map((row) => [row.uid, row]));
  const stays = new Set(wanted);
  // What leaves goes first: a number may move from one pool to another, and a key to a new object.
  const removed = rows.filter((row) => !row.removed && !stays.has(row.uid));
  await retireOverflows(client, [...put.map((pool) => ({ uid: pool.uid, overflow: didOf(overflowOf(pool)) })), ...removed.map(({ uid }) => ({ uid, overflow: null }))]);
  for (const pool of removed) await removePool(client, pool.uid);
  await keepWhatCleanUpNeeds(client, desired);
  const changes = put.map((pool) => ({ uid: pool.uid, ...ownedChange(pool, present.get(pool.uid)) }));
  await retireNumbers(client, changes.flatMap(({ uid, leaving }) => spread(uid, leaving)));
  const written = await upsertPools(client, put);
  const joining = changes.flatMap(({ uid, joining }) => spread(uid, joining));
  await addNumbers(client, joining);
  await analyzeNumbers(client, joining);
  return removed.length > 0 || written > 0;
}

/** @param uids null for all */
async function readPresent(client: pg.PoolClient, uids: readonly string[] | null): Promise<readonly PresentPool[]> {
  const { rows } = await client.query<PresentPool>(
    `select uid, removed_at is not null as removed, owned
     from pool where $1::text[] is null or uid = any ($1::text[])`,
    [uids],
  );
  return rows;
}

/** A range of numbers and the pool that it is about. */
interface PoolRange extends DigitRange {
  readonly uid: string;
}

function spread(uid: string, set: RangeSet): readonly PoolRange[] {
  return set.map(({ first, last }) => ({ uid, first, last }));
}

/** @throws ExpectedError Conflict naming number and pools: whoever asks has to decide who owns it. */
function assertDisjoint(desired: readonly DesiredPool[]): void {
  const all = desired.flatMap((pool) => leasable(pool).map((range) => ({ ...range, key: pool.key }))).sort((a, b) => a.first - b.first);
  for (const [index, range] of all.entries()) {
    const before = all[index - 1];
    if (before !== undefined && range.first <= before.last) {
      throw new ExpectedError("Conflict", `+${range.first} must be owned by one pool, but ${before.key} and ${range.key} both do`, { field: "pools[].owned" });
    }
  }
}

/** What comes and what goes, as ranges. A removed pool that is back owns everything anew. */
function ownedChange(pool: DesiredPool, present: PresentPool | undefined): { readonly joining: RangeSet; readonly leaving: RangeSet } {
  const before = present === undefined ? [] : parseRanges(present.owned);
  const after = leasable(pool);
  return { joining: present?.removed === true ? after : subtract(after, before), leaving: subtract(before, after) };
}

/** Entries are never changed in place: what was worked out for one holds as long as it lives. */
const leasables = new WeakMap<DesiredPool, RangeSet>();

/** The overflow number is shared and never lent: it is not among the numbers. */
function leasable(pool: DesiredPool): RangeSet {
  const known = leasables.get(pool);
  if (known !== undefined) return known;
  const set = computeLeasable(pool);
  leasables.set(pool, set);
  return set;
}

function computeLeasable(pool: DesiredPool): RangeSet {
  const overflow = overflowOf(pool);
  const owned = parseRanges(pool.owned);
  return overflow === null ? owned : subtract(owned, parseRanges([{ from: overflow, to: overflow }]));
}

function overflowOf(pool: DesiredPool): string | null {
  const { type, overflow } = pool.spec.assignment.onExhausted;
  return type === "Overflow" && overflow !== undefined ? overflow.number : null;
}

/**
 * Many pages may show a pool's overflow number when it is that no more, and nobody knows until when: it is treated as if it had been lent at this
 * moment, to nobody. Calls to it arrive as those to its pool do, and it is handed out again after the cool-down only. Who was lent it before
 * that keeps the promise.
 * @param next what the overflow numbers will be
 */
async function retireOverflows(client: pg.PoolClient, next: readonly { readonly uid: string; readonly overflow: string | null }[]): Promise<void> {
  await client.query(
    `insert into number as n (did, pool_uid, in_service, leased_from, leased_until, free_at)
     select p.overflow, p.uid, false, now(), now() + p.lease, now() + p.lease + p.cooldown
     from jsonb_to_recordset($1::jsonb) as w (uid text, overflow bigint)
     join pool p on p.uid = w.uid and p.removed_at is null
     where p.overflow is not null and p.overflow is distinct from w.overflow
     on conflict (did) do update set
       pool_uid = excluded.pool_uid, free_at = greatest(n.free_at, excluded.free_at),
       prospect_id = case when n.leased_until > now() then n.prospect_id end,
       leased_from = case when n.leased_until > now() then n.leased_from else excluded.leased_from end,
       leased_until = case when n.leased_until > now() then n.leased_until else excluded.leased_until end`,
    [JSON.stringify(next)],
  );
}

/** Leases are honoured to their end, then nobody gets these numbers; should the pool list them again, they come back as they are. */
async function retireNumbers(client: pg.PoolClient, ranges: readonly PoolRange[]): Promise<void> {
  if (ranges.length === 0) return;
  await client.query(
    `update number n set in_service = false
     from jsonb_to_recordset($1::jsonb) as r (uid text, first bigint, last bigint)
     where n.pool_uid = r.uid and n.did between r.first and r.last and n.in_service`,
    [JSON.stringify(ranges)],
  );
}

/**
 * A number that another pool had comes with its lease times: what was promised there holds, and its cool-down too. Of several
 * numbers that one prospect would hold then, a live lease counts, then the one that is there already, then the older one.
 */
async function addNumbers(client: pg.PoolClient, ranges: readonly PoolRange[]): Promise<void> {
  if (ranges.length === 0) return;
  const values = [JSON.stringify(ranges)];
  await client.query(
    `with joining as materialized (
       select r.uid, n.did, n.prospect_id, n.leased_until, n.leased_from
       from jsonb_to_recordset($1::jsonb) as r (uid text, first bigint, last bigint)
       join number n on n.did between r.first and r.last
       where n.prospect_id is not null and not n.superseded
     ),
     present as (
       select j.uid, n.did, n.prospect_id, n.leased_until, n.leased_from
       from (select distinct uid, prospect_id from joining) j
       join number n on n.prospect_id = j.prospect_id and n.pool_uid = j.uid and n.in_service and not n.superseded
     ),
     ranked as (
       select c.did, c.prospect_id, row_number() over (
         partition by c.uid, c.prospect_id order by (c.leased_until > clock_timestamp()) desc, c.present desc, c.leased_from, c.did
       ) as place
       from (select *, false as present from joining union all select *, true from present) c
     )
     update number n set superseded = true
     from ranked r
     where n.did = r.did and r.place > 1 and n.prospect_id = r.prospect_id`,
    values,
  );
  await client.query(
    `insert into number as n (did, pool_uid)
     select d, r.uid
     from jsonb_to_recordset($1::jsonb) as r (uid text, first bigint, last bigint)
     cross join lateral generate_series(r.first, r.last) as d
     on conflict (did) do update set pool_uid = excluded.pool_uid, in_service = true`,
    values,
  );
}

async function removePool(client: pg.PoolClient, uid: string): Promise<void> {
  await client.query("update pool set removed_at = now() where uid = $1::text", [uid]);
  await client.query("update number set in_service = false where pool_uid = $1::text and in_service", [uid]);
}

/**
 * The history of assignments and calls stays unless the pool's reclaimPolicy is Delete: its last word is kept, and whose history is to go is
 * noted for `cleanUpRemains`, which deletes it. Pools that were out of service and are gone now are noted here too.
 */
async function keepWhatCleanUpNeeds(client: pg.PoolClient, { pools, suspended = [], leaving = [] }: DesiredState): Promise<void> {
  await keepLastWord(client, leaving);
  await noteRemains(client, [...pools.map(({ uid }) => uid), ...suspended]);
}

/** A policy may be changed at the last moment, when nothing else of the pool is applied any more. */
async function keepLastWord(client: pg.PoolClient, leaving: DesiredState["leaving"] = []): Promise<void> {
  if (leaving.length === 0) return;
  await client.query(
    `update pool p set spec = jsonb_set(p.spec, '{reclaimPolicy}', to_jsonb(l.policy))
     from jsonb_to_recordset($1::jsonb) as l (uid text, policy text)
     where p.uid = l.uid and p.spec ->> 'reclaimPolicy' is distinct from l.policy`,
    [JSON.stringify(leaving.map(({ uid, reclaimPolicy }) => ({ uid, policy: reclaimPolicy })))],
  );
}

/** From so many numbers on the statistics that plans are made by are renewed at once. It costs about 0.1 s. */
const MANY_NUMBERS = 10_000;

async function analyzeNumbers(client: pg.PoolClient, joining: readonly DigitRange[]): Promise<void> {
  const numbers = joining.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  if (numbers >= MANY_NUMBERS) await client.query("analyze number");
}

async function upsertPools(client: pg.PoolClient, desired: readonly DesiredPool[]): Promise<number> {
  if (desired.length === 0) return 0;
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
    [storableJson(desired.map(poolRow))],
  );
  return rowCount ?? 0;
}

function poolRow(pool: DesiredPool) {
  const { assignment } = pool.spec;
  const overflow = overflowOf(pool);
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
    overflow: didOf(overflow),
  };
}

function didOf(overflow: string | null): string | null {
  const number = overflow === null ? null : parseE164(overflow);
  return number === null ? null : toDid(number);
}

function leasableRanges(pool: DesiredPool) {
  return leasable(pool).map(({ first, last }) => ({ from: `+${first}`, to: `+${last}` }));
}
