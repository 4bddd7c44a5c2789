import type pg from "pg";
import type { Uuid } from "../../domain/types.ts";

/**
 * Until the transaction ends, nobody else claims for, merges or erases these prospects. Answers whom each stands for now: a merged
 * prospect for the one it was merged into, which is locked as well.
 */
export async function lockProspects(client: pg.PoolClient, prospects: readonly Uuid[]): Promise<readonly Uuid[]> {
  let locked = new Set<Uuid>();
  for (;;) {
    const current = await currentProspects(client, prospects);
    const wanted = new Set([...locked, ...prospects, ...current]);
    // Whoever merged one of them meanwhile held its lock: what was read after getting all locks stays true.
    if (wanted.size === locked.size) return current;
    // Sorted, as claim_numbers does. Locks that are held already are only counted.
    await client.query(
      `select pg_advisory_xact_lock(hashtextextended(k.id::text, 0))
       from (select id from unnest($1::uuid[]) as p (id) order by id) as k`,
      [[...wanted]],
    );
    locked = wanted;
  }
}

async function currentProspects(client: pg.PoolClient, prospects: readonly Uuid[]): Promise<readonly Uuid[]> {
  const { rows } = await client.query<{ id: Uuid }>(
    `select coalesce(m.merged_into, r.id) as id
     from unnest($1::uuid[]) with ordinality as r (id, ord)
     left join prospect m on m.id = r.id
     order by r.ord`,
    [prospects],
  );
  return rows.map((row) => row.id);
}
