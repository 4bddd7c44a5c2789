import type pg from "pg";
import type { ResourceKey, Uuid } from "../../domain/types.ts";

/** Ends the prospect's leases of a pool now; the cool-down starts. What ended already stays as it is. */
export async function releaseNumbers(pool: pg.Pool, key: ResourceKey, prospect: Uuid): Promise<void> {
  await pool.query(
    `update number n set leased_until = s.at, free_at = s.at + p.cooldown
     from pool p, (select clock_timestamp() as at) s
     where p.key = $1::text and p.removed_at is null and n.pool_uid = p.uid and n.prospect_id = $2::uuid and n.leased_until > s.at`,
    [key, prospect],
  );
}
