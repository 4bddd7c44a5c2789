import { createHash, randomUUID } from "node:crypto";
import type pg from "pg";
import type { Uuid } from "../../domain/types.ts";
import { retrying } from "./retry.ts";
import { inTransaction } from "./transaction.ts";

interface DeviceOf {
  readonly prospect: Uuid;
  readonly device: Uuid;
}

/**
 * Makes sure that prospects and devices exist. Answers the prospect that each device belongs to now: a device stays with the
 * prospect it was joined to, and a merged prospect stands for the one it was merged into.
 */
export async function touchDevices(pool: pg.Pool, devices: readonly DeviceOf[]): Promise<readonly Uuid[]> {
  if (devices.length === 0) return [];
  const values = [devices.map(({ prospect }) => prospect), devices.map(({ device }) => device)];
  const known = await knownProspects(pool, values);
  if (known.every((prospect) => prospect !== null)) return known.filter((prospect) => prospect !== null);
  await retrying(() => pool.query({ ...CREATE, values }));
  const created = await knownProspects(pool, values);
  return created.map((prospect, index) => prospect ?? devices[index]?.prospect ?? "");
}

async function knownProspects(pool: pg.Pool, values: readonly Uuid[][]): Promise<readonly (Uuid | null)[]> {
  const { rows } = await pool.query<{ prospect_id: Uuid | null }>({ ...KNOWN, values: [values[1]] });
  return rows.map((row) => row.prospect_id);
}

const KNOWN = {
  name: "known-prospects",
  text: `select d.prospect_id
    from unnest($1::uuid[]) with ordinality as r (device_id, ord)
    left join device d on d.id = r.device_id
    order by r.ord`,
};

const CREATE = {
  name: "create-devices",
  text: `with request as (
      select distinct on (r.device_id) r.device_id, coalesce(p.merged_into, r.prospect_id) as prospect_id
      from unnest($1::uuid[], $2::uuid[]) as r (prospect_id, device_id)
      left join prospect p on p.id = r.prospect_id
      order by r.device_id
    ),
    owner as (
      insert into prospect (id) select distinct prospect_id from request order by prospect_id
      on conflict (id) do nothing
    )
    insert into device (id, prospect_id) select device_id, prospect_id from request order by device_id
    on conflict (id) do nothing`,
};

export interface Identification extends DeviceOf {
  readonly site: string;
  readonly subject: string;
}

/** Joins a device to a person. See `Prospects.identify` in domain/ports.ts. */
export async function identifyPerson(pool: pg.Pool, input: Identification): Promise<{ readonly prospect: Uuid; readonly merged: boolean }> {
  const hash = createHash("sha256").update(JSON.stringify([input.site, input.subject])).digest();
  return inTransaction(pool, async (client) => {
    await client.query("select pg_advisory_xact_lock(hashtextextended($1::text, 1))", [hash.toString("hex")]);
    const known = await personOf(client, input.site, hash);
    if (known === null) return { prospect: await newPerson(client, input, hash), merged: false };
    if (known === input.prospect) return { prospect: known, merged: false };
    if (await isPerson(client, input.prospect)) {
      // A shared device: the prospect is somebody else. Only the device changes hands.
      await moveDevice(client, input.device, known);
      return { prospect: known, merged: false };
    }
    return { prospect: await mergeProspects(client, known, input.prospect), merged: true };
  });
}

async function personOf(client: pg.PoolClient, site: string, hash: Buffer): Promise<Uuid | null> {
  const { rows } = await client.query<{ prospect_id: Uuid }>(
    "select prospect_id from person where site = $1::text and subject_hash = $2::bytea",
    [site, hash],
  );
  return rows[0]?.prospect_id ?? null;
}

async function isPerson(client: pg.PoolClient, prospect: Uuid): Promise<boolean> {
  const { rowCount } = await client.query("select from person where prospect_id = $1::uuid", [prospect]);
  return (rowCount ?? 0) > 0;
}

/** The first log-in of a person: the device's prospect becomes it, unless it is another person's already. */
async function newPerson(client: pg.PoolClient, input: Identification, hash: Buffer): Promise<Uuid> {
  const taken = await isPerson(client, input.prospect);
  const prospect = taken ? randomUUID() : input.prospect;
  if (taken) await client.query("insert into prospect (id) values ($1::uuid)", [prospect]);
  if (taken) await moveDevice(client, input.device, prospect);
  await client.query("insert into person (site, subject_hash, prospect_id) values ($1::text, $2::bytea, $3::uuid)", [input.site, hash, prospect]);
  return prospect;
}

async function moveDevice(client: pg.PoolClient, device: Uuid, prospect: Uuid): Promise<void> {
  await client.query("update device set prospect_id = $2::uuid where id = $1::uuid", [device, prospect]);
}

/**
 * The prospect that was known first survives. Where both hold a number of one pool, the older live lease is the one shown and
 * renewed from now on; the other is superseded: it points to the survivor until it ends.
 */
async function mergeProspects(client: pg.PoolClient, a: Uuid, b: Uuid): Promise<Uuid> {
  await client.query(
    `select pg_advisory_xact_lock(hashtextextended(k.id::text, 0))
     from (select id from unnest($1::uuid[]) as p (id) order by id) as k`,
    [[a, b]],
  );
  const { rows } = await client.query<{ id: Uuid }>("select id from prospect where id = any ($1::uuid[]) order by created_at, id for update", [[a, b]]);
  const survivor = rows[0]?.id ?? a;
  const other = survivor === a ? b : a;
  await client.query(SUPERSEDE, [survivor, other]);
  await client.query("update number set prospect_id = $1::uuid where prospect_id = $2::uuid", [survivor, other]);
  await client.query("update device set prospect_id = $1::uuid where prospect_id = $2::uuid", [survivor, other]);
  await client.query("update association set prospect_id = $1::uuid where prospect_id = $2::uuid", [survivor, other]);
  await client.query("update person set prospect_id = $1::uuid where prospect_id = $2::uuid", [survivor, other]);
  await client.query("update prospect set merged_into = $1::uuid where id = $2::uuid or merged_into = $2::uuid", [survivor, other]);
  return survivor;
}

const SUPERSEDE = `with ranked as (
    select did, row_number() over (
      partition by pool_uid
      order by (leased_until > clock_timestamp()) desc, leased_from, did
    ) as place
    from number
    where prospect_id in ($1::uuid, $2::uuid) and in_service and not superseded
  )
  update number n set superseded = true from ranked r where r.did = n.did and r.place > 1`;

/** The device gets a prospect of its own: who comes next is somebody else. */
export async function leavePerson(pool: pg.Pool, device: Uuid): Promise<Uuid> {
  const prospect = randomUUID();
  await pool.query(
    `with owner as (insert into prospect (id) values ($1::uuid) returning id)
     update device set prospect_id = owner.id from owner where device.id = $2::uuid`,
    [prospect, device],
  );
  return prospect;
}

/**
 * Forgets a person: what they saw, their devices and their log-in are gone; numbers keep only the times of their leases;
 * call records keep that there was a call.
 */
export async function eraseProspect(pool: pg.Pool, prospect: Uuid): Promise<void> {
  await inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ ids: Uuid[] | null }>(
      "select array_agg(id) as ids from prospect where id = $1::uuid or merged_into = $1::uuid",
      [prospect],
    );
    const ids = rows[0]?.ids ?? [prospect];
    await client.query("delete from association where prospect_id = any ($1::uuid[])", [ids]);
    await client.query("update number set prospect_id = null where prospect_id = any ($1::uuid[])", [ids]);
    await client.query("update number set previous_prospect_id = null where previous_prospect_id = any ($1::uuid[])", [ids]);
    await client.query(
      "update call set prospect_id = null, caller = null, media_element = null, attributes = '{}' where prospect_id = any ($1::uuid[])",
      [ids],
    );
    await client.query("delete from prospect where id = any ($1::uuid[])", [ids]);
  });
}
