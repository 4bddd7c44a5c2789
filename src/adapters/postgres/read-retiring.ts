import type pg from "pg";
import type { RetiringNumbers } from "../../domain/ports.ts";
import { normalise, toE164Ranges } from "../../domain/ranges.ts";

export interface Retiring {
  readonly numbers: readonly RetiringNumbers[];
  /** Seconds until the first of their leases ends; null when none retires. */
  readonly firstEndsInSeconds: number | null;
}

/** Numbers that pools gave up and that are leased still, or stand on pages that were promised them. Both end before the cool-down, which is what the index knows. */
export async function readRetiring(client: pg.ClientBase): Promise<Retiring> {
  const { rows } = await client.query<{ uid: string; dids: readonly string[]; seconds: number }>(
    `select n.pool_uid as uid, array_agg(n.did order by n.did)::text[] as dids,
       extract(epoch from min(greatest(n.leased_until, n.promised_until)) - now())::double precision as seconds
     from number n join pool p on p.uid = n.pool_uid
     where not n.in_service and n.free_at > now() and greatest(n.leased_until, n.promised_until) > now() and p.removed_at is null
     group by n.pool_uid
     order by n.pool_uid`,
  );
  return {
    numbers: rows.map(({ uid, dids }) => ({ uid, ranges: toE164Ranges(normalise(dids.map((did) => ({ first: Number(did), last: Number(did) })))) })),
    firstEndsInSeconds: rows.length === 0 ? null : Math.min(...rows.map(({ seconds }) => seconds)),
  };
}
