import type pg from "pg";
import type { Releaser, ShownElsewhere } from "../../domain/ports.ts";
import type { ResourceKey, Uuid } from "../../domain/types.ts";
import { lockProspects } from "./prospect-lock.ts";
import { inTransaction } from "./transaction.ts";

/** As many as a claim tells of a number, and the media elements shown last: whoever has a token can make devices and elements without end. */
const mostDevices = 16;
const mostElements = 32;

interface Row {
  readonly device: Uuid;
  readonly pool: ResourceKey;
  readonly media_element: string;
}

/**
 * Ends the leases that the device's prospect has of these pools now, all or none. What ended already stays as it is. A pool that was removed may
 * have been lending still, so it is found as well. A device that is not known has nothing, and none is made of it.
 *
 * The cool-down starts now, and where another page of the prospect may show the number it lasts as long as that page was promised it at least:
 * one whose device is asleep, or that has no stream, hears of no release. There is no other page where the prospect has one device, nothing was
 * shown or told to another during the lease, and the device has one page.
 * Answers the prospect's other devices that are online, with each media element that the numbers were shown with during the lease.
 */
export async function releaseNumbers(pool: pg.Pool, keys: readonly ResourceKey[], { device, isOnlyPage }: Releaser): Promise<readonly ShownElsewhere[]> {
  return inTransaction(pool, async (client) => {
    const prospect = await lockProspectOf(client, device);
    if (prospect === null) return [];
    const { rows } = await client.query<Row>(
      `with held as materialized (
         select n.did, p.key as pool, p.cooldown, n.leased_from, n.leased_until from number n join pool p on p.uid = n.pool_uid
         where p.key = any ($1::text[]) and n.prospect_id = $2::uuid and n.leased_until > statement_timestamp()
         order by n.did
         for no key update of n
       ),
       ending as (
         select h.did, h.cooldown, case
             when not $6::boolean or exists (select from device v where v.prospect_id = $2::uuid and v.id <> $3::uuid)
               or exists (
                 select from association a
                 where a.did = h.did and a.leased_from = h.leased_from and (a.device_id <> $3::uuid or a.other_devices_online <> '{}')
               )
             then h.leased_until
           end as promised_until
         from held h
       ),
       -- What was promised before this lease stays promised.
       ended as (
         update number n set
           leased_until = statement_timestamp(),
           promised_until = greatest(n.promised_until, e.promised_until),
           free_at = greatest(n.promised_until, e.promised_until, statement_timestamp() + e.cooldown)
         from ending e where n.did = e.did
       ),
       shown as (
         select h.pool, a.media_element from held h join association a on a.did = h.did and a.leased_from = h.leased_from
         group by h.pool, a.media_element
         order by max(a.shown_at) desc
         limit $4::int
       ),
       online as (
         select v.id as device from device v
         where v.prospect_id = $2::uuid and v.id <> $3::uuid and v.online_until > statement_timestamp()
         order by v.online_until desc
         limit $5::int
       )
       select o.device, s.pool, s.media_element from online o cross join shown s`,
      [keys, prospect, device, mostElements, mostDevices, isOnlyPage],
    );
    return rows.map(({ device: other, pool: key, media_element: mediaElement }) => ({ device: other, pool: key, mediaElement }));
  });
}

/** Whose the device is, locked: it may have changed hands before the lock was had. Null where it is nobody's. */
async function lockProspectOf(client: pg.PoolClient, device: Uuid): Promise<Uuid | null> {
  for (;;) {
    const owner = await ownerOf(client, device);
    if (owner === null) return null;
    await lockProspects(client, [owner]);
    if ((await ownerOf(client, device)) === owner) return owner;
  }
}

async function ownerOf(client: pg.PoolClient, device: Uuid): Promise<Uuid | null> {
  const { rows } = await client.query<{ prospect_id: Uuid }>("select prospect_id from device where id = $1::uuid", [device]);
  return rows[0]?.prospect_id ?? null;
}
