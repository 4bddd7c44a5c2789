import type pg from "pg";
import type { CallContext, E164, ResourceKey, Uuid } from "../../domain/types.ts";
import { toDid } from "./did.ts";

/**
 * Which pool's numbers the DID is among, the overflow number and those that retire included; null when nobody's. The dialplan is
 * rendered from the same ranges.
 */
export async function readPoolOf(pool: pg.Pool, did: E164): Promise<ResourceKey | null> {
  const { rows } = await pool.query<{ key: ResourceKey }>(
    `select p.key
     from pool p
     cross join lateral (
       select exists (
         select from jsonb_to_recordset(p.owned) as r ("from" text, "to" text)
         where $1::bigint between ltrim(r."from", '+')::bigint and ltrim(r."to", '+')::bigint
       ) as owned
     ) o
     cross join lateral (
       select exists (select from number n where n.did = $1::bigint and n.pool_uid = p.uid and not n.in_service and n.leased_until > now()) as retiring
     ) n
     where p.removed_at is null and (o.owned or p.overflow = $1::bigint or n.retiring)
     order by o.owned desc, n.retiring, p.created_at, p.key
     limit 1`,
    [toDid(did)],
  );
  return rows[0]?.key ?? null;
}

/** What a prospect, or whom it was joined to, was shown with the DID: as for a call, the newest first. */
export async function readShownTo(pool: pg.Pool, did: E164, prospect: Uuid): Promise<Pick<CallContext, "mediaElements" | "attributes">> {
  const { rows } = await pool.query<{ media_element: string; attributes: Record<string, string> }>(
    `select media_element, attributes from association
     where did = $1::bigint and prospect_id = coalesce((select merged_into from prospect where id = $2::uuid), $2::uuid)
     order by shown_at desc, id desc limit 20`,
    [toDid(did), prospect],
  );
  return { mediaElements: [...new Set(rows.map((row) => row.media_element))], attributes: rows[0]?.attributes ?? {} };
}
