import type pg from "pg";
import { BATCH, LOCK } from "./retention-lock.ts";
import { retrying } from "./retry.ts";
import { inTransaction } from "./transaction.ts";

/**
 * Who can be forgotten when what they saw and their calls are gone. Each table is gone through page by page in the order of its key, so
 * that no index on times is needed. Whoever comes back with tokens from before is stored anew under the same ids.
 */

interface Page<Key> {
  /** The highest key looked at; null after the last page. */
  readonly last: Key | null;
  readonly done: number;
}

/** One page after the other, from the key after `first` on. */
async function throughPages<Key>(first: Key, page: (after: Key) => Promise<Page<Key>>): Promise<number> {
  let after = first;
  let total = 0;
  for (;;) {
    const { last, done } = await page(after);
    total += done;
    if (last === null) return total;
    after = last;
  }
}

/** Numbers keep who held them last so that he may have them back; not for longer than everything else is kept. */
export function forgetHolders(pool: pg.Pool, keepSeconds: number): Promise<number> {
  return throughTable(pool, HOLDERS, keepSeconds);
}

/** @param statement works off one page of a table whose key is a number, and answers a `Page` */
export function throughTable(pool: pg.Pool, statement: string, keepSeconds: number): Promise<number> {
  return throughPages("0", async (after) => {
    const { rows } = await retrying(() => pool.query<Page<string>>(statement, [keepSeconds, BATCH, after]));
    return rows[0] ?? { last: null, done: 0 };
  });
}

const HOLDERS = `with page as materialized (
    select did from number where did > $3::bigint order by did limit $2::int
  ),
  forgotten as (
    update number n set
      prospect_id = case when n.leased_until < c.cutoff then null else n.prospect_id end,
      previous_prospect_id = case when coalesce(n.previous_leased_until, '-infinity') < c.cutoff then null else n.previous_prospect_id end
    from page p cross join (select now() - make_interval(secs => $1::double precision) as cutoff) c
    where n.did = p.did and ${LOCK}
      and (n.prospect_id is not null and n.leased_until < c.cutoff
        or n.previous_prospect_id is not null and coalesce(n.previous_leased_until, '-infinity') < c.cutoff)
    returning n.did
  )
  select (select max(did) from page) as last, (select count(*)::int from forgotten) as done`;

/** Devices that were not heard of for so long, and that saw nothing since. */
export function purgeDevices(pool: pg.Pool, keepSeconds: number): Promise<number> {
  return purgePages(pool, keepSeconds, {
    page: `select id, greatest(created_at, online_until) < now() - make_interval(secs => $1::double precision) as old
      from device where id > $3::uuid order by id limit $2::int`,
    lock: "select id from device where id = any ($1::uuid[]) order by id for update skip locked",
    remove: `delete from device d
      where d.id = any ($1::uuid[]) and greatest(d.created_at, d.online_until) < now() - make_interval(secs => $2::double precision)
        and not exists (select from association a where a.prospect_id = d.prospect_id and a.device_id = d.id)`,
  });
}

/** Prospects without a device, a number, an association and a call. One that was merged is known for as long as the one it was merged into. */
export function purgeProspects(pool: pg.Pool, keepSeconds: number): Promise<number> {
  return purgePages(pool, keepSeconds, {
    page: `select id, created_at < now() - make_interval(secs => $1::double precision) as old
      from prospect where id > $3::uuid order by id limit $2::int`,
    lock: "select id from prospect where id = any ($1::uuid[]) order by id for update skip locked",
    remove: `delete from prospect p
      where p.id = any ($1::uuid[]) and p.created_at < now() - make_interval(secs => $2::double precision)
        and not exists (select from prospect s where s.id = p.merged_into)
        and not exists (select from device d where d.prospect_id = p.id)
        and not exists (select from number n where n.prospect_id = p.id)
        and not exists (select from association a where a.prospect_id = p.id)
        and not exists (select from call c where c.prospect_id = p.id)`,
  });
}

interface PurgeStatements {
  readonly page: string;
  readonly lock: string;
  /** Looks anew, with the locks held: what was stored meanwhile counts. */
  readonly remove: string;
}

function purgePages(pool: pg.Pool, keepSeconds: number, statements: PurgeStatements): Promise<number> {
  return throughPages("00000000-0000-0000-0000-000000000000", (after) =>
    inTransaction(pool, async (client) => {
      const { rows } = await client.query<{ id: string; old: boolean }>(statements.page, [keepSeconds, BATCH, after]);
      const old = rows.filter((row) => row.old).map((row) => row.id);
      return { last: rows.at(-1)?.id ?? null, done: old.length === 0 ? 0 : await remove(client, old, { statements, keepSeconds }) };
    }),
  );
}

async function remove(client: pg.PoolClient, ids: readonly string[], { statements, keepSeconds }: { readonly statements: PurgeStatements; readonly keepSeconds: number }): Promise<number> {
  const { rows } = await client.query<{ mine: boolean }>(`select ${LOCK} as mine`);
  if (rows[0]?.mine !== true) return 0;
  const locked = await client.query<{ id: string }>(statements.lock, [ids]);
  const { rowCount } = await client.query(statements.remove, [locked.rows.map((row) => row.id), keepSeconds]);
  return rowCount ?? 0;
}
