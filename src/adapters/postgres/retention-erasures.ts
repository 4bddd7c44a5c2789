import type pg from "pg";
import { BATCH, LOCK } from "./retention-lock.ts";
import { retrying } from "./retry.ts";

/** No record waits longer on a router's disk. */
const KEEP_DAYS = 90;

/** Forgets who was erased long ago, whatever the retention of everything else; a bounded statement, which the next hour continues. */
export async function purgeErasures(pool: pg.Pool): Promise<number> {
  const { rowCount } = await retrying(() => pool.query(ERASURES, [KEEP_DAYS, 10 * BATCH]));
  return rowCount ?? 0;
}

const ERASURES = `delete from erasure e
  using (
    select subject from erasure where erased_at < now() - make_interval(days => $1::int) order by erased_at limit $2::int
  ) oldest
  where e.subject = oldest.subject and e.erased_at < now() - make_interval(days => $1::int) and ${LOCK}`;
