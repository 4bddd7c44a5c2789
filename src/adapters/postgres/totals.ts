import type pg from "pg";
import type { PoolTotals } from "../../domain/ports.ts";
import type { ResourceKey } from "../../domain/types.ts";

interface Row extends Omit<PoolTotals, "demand"> {
  readonly key: string;
  readonly arrivals_per_hour: number | null;
  readonly visit_seconds: number | null;
}

/** Fewer leases begun than this say nothing about how busy a pool is. */
const LEAST_LEASES = 10;

/**
 * Counts pools' numbers: reads all of theirs, so of every pool at most every few seconds. How busy they are is measured with it:
 * in the time of one lease and cool-down a number is lent to one new prospect at most, so its last lease is the only one. The
 * busiest moment of each hour is kept, and the busiest hour of a week answered.
 * @param keys of these pools only
 */
export async function readTotals(pool: pg.Pool, keys?: readonly ResourceKey[]): Promise<Readonly<Record<ResourceKey, PoolTotals>>> {
  const { rows } = await pool.query<Row>(
    `with counted as materialized (
       select p.uid, p.key,
         count(n.did) filter (where n.in_service)::int as total,
         count(n.did) filter (where n.in_service and n.leased_until > now())::int as leased,
         count(n.did) filter (where n.in_service and n.leased_until <= now() and n.free_at > now())::int as "coolingDown",
         count(n.did) filter (where n.in_service and n.free_at <= now())::int as available,
         count(n.did) filter (where not n.in_service and n.leased_until > now())::int as retiring,
         count(n.did) filter (where n.leased_from > now() - p.lease - p.cooldown)::int as begun,
         extract(epoch from p.lease + p.cooldown)::double precision as seconds,
         coalesce(avg(greatest(extract(epoch from n.leased_until - p.lease - n.leased_from), 0))
           filter (where n.leased_until <= now() and n.leased_from > now() - interval '1 day'), 0)::double precision as visit_seconds
       from pool p left join number n on n.pool_uid = p.uid
       where p.removed_at is null and ($1::text[] is null or p.key = any ($1::text[]))
       group by p.uid, p.key, p.lease, p.cooldown
     ),
     measured as materialized (
       select uid, date_trunc('hour', now()) as hour, begun * 3600 / seconds as arrivals_per_hour, visit_seconds
       from counted where begun >= $2::int and seconds > 0
     ),
     kept as (
       insert into pool_demand as d (pool_uid, hour, arrivals_per_hour, visit_seconds)
       select uid, hour, arrivals_per_hour, visit_seconds from measured order by uid
       on conflict (pool_uid, hour) do update set arrivals_per_hour = excluded.arrivals_per_hour, visit_seconds = excluded.visit_seconds
         where excluded.arrivals_per_hour > d.arrivals_per_hour
     ),
     outdated as (
       delete from pool_demand where hour < now() - interval '7 days'
     )
     select c.key, c.total, c.leased, c."coolingDown", c.available, c.retiring, b.arrivals_per_hour, b.visit_seconds
     from counted c
     left join lateral (
       select m.arrivals_per_hour, m.visit_seconds from (
         select arrivals_per_hour, visit_seconds from measured where uid = c.uid
         union all
         select arrivals_per_hour, visit_seconds from pool_demand where pool_uid = c.uid and hour >= now() - interval '7 days'
       ) m
       order by m.arrivals_per_hour desc limit 1
     ) b on true`,
    [keys ?? null, LEAST_LEASES],
  );
  return Object.fromEntries(rows.map((row) => [row.key, totalsOf(row)]));
}

function totalsOf({ total, leased, coolingDown, available, retiring, arrivals_per_hour, visit_seconds }: Row): PoolTotals {
  const demand = arrivals_per_hour === null ? undefined : { arrivalsPerHour: arrivals_per_hour, visitSeconds: visit_seconds ?? 0 };
  return { total, leased, coolingDown, available, retiring, ...(demand === undefined ? {} : { demand }) };
}
