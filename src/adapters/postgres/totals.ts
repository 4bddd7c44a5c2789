import type pg from "pg";
import type { PoolTotals } from "../../domain/ports.ts";
import type { ResourceKey } from "../../domain/types.ts";

/** Counts every pool's numbers: reads all of them, so at most every few seconds. */
export async function readTotals(pool: pg.Pool): Promise<Readonly<Record<ResourceKey, PoolTotals>>> {
  const { rows } = await pool.query<{ key: string } & PoolTotals>(
    `select p.key,
       count(n.did) filter (where n.in_service)::int as total,
       count(n.did) filter (where n.in_service and n.leased_until > now())::int as leased,
       count(n.did) filter (where n.in_service and n.leased_until <= now() and n.free_at > now())::int as "coolingDown",
       count(n.did) filter (where n.in_service and n.free_at <= now())::int as available,
       count(n.did) filter (where not n.in_service and n.leased_until > now())::int as retiring
     from pool p left join number n on n.pool_uid = p.uid
     where p.removed_at is null
     group by p.key`,
  );
  return Object.fromEntries(rows.map(({ key, ...totals }) => [key, totals]));
}
