import type pg from "pg";
import type { PoolTotals } from "../../domain/ports.ts";
import type { ResourceKey } from "../../domain/types.ts";

/**
 * Counts pools' numbers: reads all of theirs, so of every pool at most every few seconds.
 * @param keys of these pools only
 */
export async function readTotals(pool: pg.Pool, keys?: readonly ResourceKey[]): Promise<Readonly<Record<ResourceKey, PoolTotals>>> {
  const { rows } = await pool.query<{ key: string } & PoolTotals>(
    `select p.key,
       count(n.did) filter (where n.in_service)::int as total,
       count(n.did) filter (where n.in_service and n.leased_until > now())::int as leased,
       count(n.did) filter (where n.in_service and n.leased_until <= now() and n.free_at > now())::int as "coolingDown",
       count(n.did) filter (where n.in_service and n.free_at <= now())::int as available,
       count(n.did) filter (where not n.in_service and n.leased_until > now())::int as retiring
     from pool p left join number n on n.pool_uid = p.uid
     where p.removed_at is null and ($1::text[] is null or p.key = any ($1::text[]))
     group by p.key`,
    [keys ?? null],
  );
  return Object.fromEntries(rows.map(({ key, ...totals }) => [key, totals]));
}
