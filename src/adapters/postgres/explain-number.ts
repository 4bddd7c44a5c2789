import type pg from "pg";
import type { ShownTo } from "../../domain/explain.ts";
import type { E164, ResourceKey, Uuid } from "../../domain/types.ts";
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

interface Row {
  readonly prospect: Uuid;
  readonly media_element: string | null;
  readonly attributes: Record<string, string> | null;
}

/** Who a prospect is by now, and what that one was shown with the DID: as for a call, the newest first. */
export async function readShownTo(pool: pg.Pool, did: E164, prospect: Uuid): Promise<ShownTo> {
  const { rows } = await pool.query<Row>(
    `select who.id as prospect, a.media_element, a.attributes
     from (select coalesce((select merged_into from prospect where id = $2::uuid), $2::uuid) as id) who
     left join association a on a.did = $1::bigint and a.prospect_id = who.id
     order by a.shown_at desc, a.id desc limit 20`,
    [toDid(did), prospect],
  );
  const mediaElements = rows.flatMap((row) => row.media_element ?? []);
  return { prospect: rows[0]?.prospect ?? prospect, mediaElements: [...new Set(mediaElements)], attributes: rows[0]?.attributes ?? {} };
}
