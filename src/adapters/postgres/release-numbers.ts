import type pg from "pg";
import type { ResourceKey, Uuid } from "../../domain/types.ts";
import { lockProspects } from "./prospect-lock.ts";
import { inTransaction } from "./transaction.ts";

/**
 * Ends the prospect's leases of these pools now, all or none; the cool-down starts. What ended already stays as it is. A pool that was
 * removed may have been lending still, so it is found as well.
 */
export async function releaseNumbers(pool: pg.Pool, keys: readonly ResourceKey[], prospect: Uuid): Promise<void> {
  await inTransaction(pool, async (client) => {
    const current = await lockProspects(client, [prospect]);
    await client.query(
      `update number n set leased_until = statement_timestamp(), free_at = statement_timestamp() + p.cooldown
       from pool p
       where p.key = any ($1::text[]) and n.pool_uid = p.uid
         and n.prospect_id = any ($2::uuid[]) and n.leased_until > statement_timestamp()`,
      [keys, current],
    );
  });
}
