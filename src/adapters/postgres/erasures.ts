import type pg from "pg";

/** What a person is known by in calls. */
interface Erased {
  readonly kind: "prospect" | "caller";
  /** Ids of prospects, or numbers. */
  readonly values: readonly string[];
}

/**
 * Notes an erasure for calls that are saved later though they came before it. In the transaction of the erasure and before it looks for
 * calls: saves under way are committed by then, and those that come meanwhile wait until it is over and know of it.
 */
export async function noteErasure(client: pg.PoolClient, { kind, values }: Erased): Promise<void> {
  await client.query("select pg_advisory_xact_lock(1482, 0)");
  await client.query(
    `insert into erasure as e (subject, erased_at)
     select distinct erasure_subject($1::text, v.value), clock_timestamp() from unnest($2::text[]) as v (value)
     on conflict (subject) do update set erased_at = excluded.erased_at`,
    [kind, values],
  );
}
