import type pg from "pg";
import type { Uuid } from "../../src/domain/types.ts";

/** Makes visitors known, as the claim does before it lends anything. Answers whose each device is. */
export async function meet(pool: Pick<pg.Pool, "query">, visitors: readonly { readonly prospect: Uuid; readonly device: Uuid }[]): Promise<readonly Uuid[]> {
  const { rows } = await pool.query<{ prospects: readonly Uuid[] | null }>("select meet_visitors($1::uuid[], $2::uuid[]) as prospects", [
    visitors.map(({ prospect }) => prospect),
    visitors.map(({ device }) => device),
  ]);
  return rows[0]?.prospects ?? [];
}
