import type pg from "pg";
import { ExpectedError } from "../../domain/errors.ts";
import type { Term } from "../../domain/ports.ts";
import { lockWrites } from "./apply-lock.ts";
import { inTransaction } from "./transaction.ts";

/** The largest term that ever wrote; null before the first. */
export async function readTerm(pool: pg.Pool): Promise<number | null> {
  const { rows } = await pool.query<{ term: string }>("select term from leadership");
  return rows[0] === undefined ? null : Number(rows[0].term);
}

/**
 * From now on nobody with a smaller term writes. Waits for a write under way, so that none of an earlier term commits after it.
 * @throws ExpectedError `StaleRevision` when a later term was here already
 */
export async function beginTerm(pool: pg.Pool, term: Term): Promise<void> {
  await inTransaction(pool, async (client) => {
    await lockWrites(client);
    await client.query(
      `insert into leadership as l (term, holder) values ($1::bigint, $2::text)
       on conflict (singleton) do update set term = excluded.term, holder = excluded.holder, since = now() where l.term < excluded.term`,
      [term.number, term.holder],
    );
    await assertTerm(client, term);
  });
}

/**
 * Under the lock for writes, what it finds holds until the transaction ends; without it, at this moment.
 * @throws ExpectedError `StaleRevision` when another operator leads
 */
export async function assertTerm(client: Pick<pg.ClientBase, "query">, term: Term): Promise<void> {
  const { rows } = await client.query<{ term: string; holder: string }>("select term, holder from leadership");
  const [present] = rows;
  if (present !== undefined && Number(present.term) === term.number && present.holder === term.holder) return;
  const leader = present === undefined ? "nobody" : `${present.holder} with term ${present.term}`;
  throw new ExpectedError("StaleRevision", `term ${term.number} of ${term.holder} is over: ${leader} leads`);
}
