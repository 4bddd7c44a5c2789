import { randomUUIDv7 } from "node:crypto";
import type pg from "pg";
import type { E164, Uuid } from "../../domain/types.ts";
import { noteErasure } from "./erasures.ts";
import { lockProspects } from "./prospect-lock.ts";
import { retrying } from "./retry.ts";
import { inTransaction } from "./transaction.ts";

/** The device gets a prospect of its own: who comes next is somebody else. */
export async function leavePerson(pool: pg.Pool, device: Uuid): Promise<Uuid> {
  const prospect = randomUUIDv7();
  await retrying(() =>
    pool.query(
      `with owner as (insert into prospect (id) values ($1::uuid) on conflict (id) do nothing)
       insert into device (id, prospect_id) values ($2::uuid, $1::uuid)
       on conflict (id) do update set prospect_id = excluded.prospect_id`,
      [prospect, device],
    ),
  );
  return prospect;
}

/**
 * Forgets a person, by any id the person ever had: what they saw, their devices and their log-in are gone; numbers keep only the
 * times of their leases; call records keep that there was a call, those that the database gets later included.
 */
export async function eraseProspect(pool: pg.Pool, prospect: Uuid): Promise<void> {
  await inTransaction(pool, async (client) => {
    const current = await lockProspects(client, [prospect]);
    const { rows } = await client.query<{ id: Uuid }>("select id from prospect where merged_into = any ($1::uuid[])", [current]);
    const ids = [...new Set([prospect, ...current, ...rows.map((row) => row.id)])];
    await client.query("update number set prospect_id = null where prospect_id = any ($1::uuid[])", [ids]);
    // Whoever held a number is in its history for as long as it knows him: retention and deleted pools keep to that.
    await client.query(
      `update number set previous_prospect_id = null
       where did in (select did from association where prospect_id = any ($1::uuid[])) and previous_prospect_id = any ($1::uuid[])`,
      [ids],
    );
    await client.query("delete from association where prospect_id = any ($1::uuid[])", [ids]);
    await noteErasure(client, { kind: "prospect", values: ids });
    await client.query(`${BLANK} where prospect_id = any ($1::uuid[])`, [ids]);
    await client.query("delete from prospect where id = any ($1::uuid[])", [ids]);
  });
}

/** Calls are looked up pool by pool, as their index is: a scan of all calls would take longer than a statement may. */
export async function eraseCaller(pool: pg.Pool, caller: E164): Promise<void> {
  await inTransaction(pool, async (client) => {
    await noteErasure(client, { kind: "caller", values: [caller] });
    await client.query(`${BLANK} where pool_key in (select distinct key from pool) and left(caller, 16) = $1::text and caller = $1::text`, [caller]);
  });
}

const BLANK = "update call set erased = true, prospect_id = null, caller = null, media_element = null, attributes = '{}', why = '[]'";
