import type pg from "pg";
import type { E164, Uuid } from "../../domain/types.ts";
import { fromDid, toDid } from "./did.ts";

/** "This DID was shown to this prospect with this media element", and who of the prospect's devices was online then. */
export interface Association {
  readonly did: E164;
  readonly prospect: Uuid;
  readonly device: Uuid;
  readonly mediaElement: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly leasedFrom: Date;
  readonly shownAt: Date;
  readonly otherDevicesOnline: readonly Uuid[];
  readonly determinedAt: Date;
}

interface Row {
  readonly did: string;
  readonly prospect_id: Uuid;
  readonly device_id: Uuid;
  readonly media_element: string;
  readonly attributes: Record<string, string>;
  readonly leased_from: Date;
  readonly shown_at: Date;
  readonly other_devices_online: readonly Uuid[];
  readonly determined_at: Date;
}

/** Who was shown this DID when, newest first. */
export async function readAssociations(pool: pg.Pool, did: E164, limit: number): Promise<readonly Association[]> {
  const { rows } = await pool.query<Row>(
    `select did, prospect_id, device_id, media_element, attributes, leased_from, shown_at, other_devices_online, determined_at
     from association where did = $1::bigint
     order by shown_at desc, id desc limit $2::int`,
    [toDid(did), limit],
  );
  return rows.map((row) => ({
    did: fromDid(row.did),
    prospect: row.prospect_id,
    device: row.device_id,
    mediaElement: row.media_element,
    attributes: row.attributes,
    leasedFrom: row.leased_from,
    shownAt: row.shown_at,
    otherDevicesOnline: row.other_devices_online,
    determinedAt: row.determined_at,
  }));
}
