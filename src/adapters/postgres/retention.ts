import type pg from "pg";
import { purgeErasures } from "./retention-erasures.ts";
import { forgetHolders, purgeDevices, purgeProspects, throughTable } from "./retention-identities.ts";
import { BATCH, LOCK } from "./retention-lock.ts";
import { retrying } from "./retry.ts";

export interface Purged {
  readonly associations: number;
  readonly calls: number;
  /** Numbers that don't know any more who held them last. */
  readonly numbers: number;
  readonly devices: number;
  readonly prospects: number;
}

const DAY_SECONDS = 86_400;

/** What is too old goes: erasures of long ago always, everything else if it is kept for a number of days only (0: for ever). */
export async function purge(pool: pg.Pool, keepDays: number): Promise<Readonly<Record<string, number>>> {
  const erasures = await purgeErasures(pool);
  return keepDays > 0 ? { erasures, ...(await purgeOlder(pool, keepDays * DAY_SECONDS)) } : { erasures };
}

/**
 * Deletes what is older than `keepSeconds`: associations by when the number was last shown, calls by when they came in, then devices
 * and prospects of whom nothing is left. What a lease that ended since or a call in progress still needs stays. Bounded statements, as many as are
 * needed.
 */
export async function purgeOlder(pool: pg.Pool, keepSeconds: number): Promise<Purged> {
  // First, and only then what tells whom they were lent to: an erasure finds a person's numbers by that.
  const numbers = await forgetHolders(pool, keepSeconds);
  return {
    associations: await throughTable(pool, ASSOCIATIONS, keepSeconds),
    calls: await inBatches(pool, CALLS, keepSeconds),
    numbers,
    devices: await purgeDevices(pool, keepSeconds),
    prospects: await purgeProspects(pool, keepSeconds),
  };
}

async function inBatches(pool: pg.Pool, statement: string, keepSeconds: number): Promise<number> {
  let total = 0;
  for (;;) {
    const { rowCount } = await retrying(() => pool.query(statement, [keepSeconds, BATCH]));
    total += rowCount ?? 0;
    if ((rowCount ?? 0) === 0) return total;
  }
}

/**
 * By pages in the order of their identity, so that no index on times is needed, which every claim would pay for. All of them: what is shown
 * again and again, or belongs to a lease that lives on, stays among the lowest, however much it is. What a number knows the holder of stays:
 * a call to it may still be his, and the number forgets him by the time of its lease.
 */
const ASSOCIATIONS = `with page as materialized (
    select id from association where id > $3::bigint order by id limit $2::int
  ),
  purged as (
    delete from association a using page p
    where a.id = p.id and ${LOCK}
      and a.shown_at < now() - make_interval(secs => $1::double precision)
      and not exists (
        select from number n
        where n.did = a.did and (
          n.leased_from = a.leased_from and n.prospect_id is not null
          or coalesce((select m.merged_into from prospect m where m.id = n.previous_prospect_id), n.previous_prospect_id) = a.prospect_id
        )
      )
    returning a.id
  )
  select (select max(id) from page) as last, (select count(*)::int from purged) as done`;

const CALLS = `delete from call c
  using (
    select id from call
    where received_at < now() - make_interval(secs => $1::double precision) and ended_at is not null
    order by received_at limit $2::int
  ) oldest
  where c.id = oldest.id and ${LOCK}`;
