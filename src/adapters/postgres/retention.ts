import type pg from "pg";
import { retrying } from "./retry.ts";

export interface Purged {
  readonly associations: number;
  readonly calls: number;
}

/** Rows of one statement: it takes milliseconds, and claims go on between two. */
const BATCH = 2_000;

/** Only one process purges at a time; the others find nothing to do. Held for one statement. */
const LOCK = "pg_try_advisory_xact_lock(724601341)";

/**
 * Deletes what is older than `keepSeconds`: associations by when the number was last shown, calls by when they came in. What a live
 * lease or a call in progress still needs stays. Bounded statements, as many as are needed.
 */
export async function purgeOlder(pool: pg.Pool, keepSeconds: number): Promise<Purged> {
  return { associations: await inBatches(pool, ASSOCIATIONS, keepSeconds), calls: await inBatches(pool, CALLS, keepSeconds) };
}

async function inBatches(pool: pg.Pool, statement: string, keepSeconds: number): Promise<number> {
  let total = 0;
  for (;;) {
    const { rowCount } = await retrying(() => pool.query(statement, [keepSeconds, BATCH]));
    total += rowCount ?? 0;
    if ((rowCount ?? 0) === 0) return total;
  }
}

/** Identities grow with time, so what is old is among the lowest: no index on times is needed, which every claim would pay for. */
const ASSOCIATIONS = `delete from association a
  using (select id from association order by id limit $2::int) lowest
  where a.id = lowest.id and ${LOCK}
    and a.shown_at < now() - make_interval(secs => $1::double precision)
    and not exists (select from number n where n.did = a.did and n.leased_from = a.leased_from and n.leased_until > now())`;

const CALLS = `delete from call c
  using (
    select id from call
    where received_at < now() - make_interval(secs => $1::double precision) and ended_at is not null
    order by received_at limit $2::int
  ) oldest
  where c.id = oldest.id and ${LOCK}`;
