import { createHash, randomUUIDv7 } from "node:crypto";
import type pg from "pg";
import type { Uuid } from "../../domain/types.ts";
import { mergeProspects } from "./merge-prospects.ts";
import { lockProspects } from "./prospect-lock.ts";
import { inTransaction } from "./transaction.ts";

export interface Identification {
  readonly site: string;
  /** Who logged in, in the site's own terms: only a hash of it is kept. */
  readonly subject: string;
  readonly prospect: Uuid;
  readonly device: Uuid;
}

/** Joins a device to a person. See `Prospects.identify` in domain/ports.ts. */
export async function identifyPerson(pool: pg.Pool, input: Identification): Promise<{ readonly prospect: Uuid; readonly merged: boolean }> {
  const hash = hashOf(input);
  return inTransaction(pool, async (client) => {
    await client.query("select pg_advisory_xact_lock(hashtextextended($1::text, 1))", [hash.toString("hex")]);
    await ensureDevice(client, input);
    const { known, prospect } = await lockBoth(client, input, hash);
    if (known === null) return { prospect: await newPerson(client, { ...input, prospect }, hash), merged: false };
    if (known === prospect) return { prospect, merged: false };
    if (await isPerson(client, prospect)) {
      // A shared device: the prospect is somebody else. Only the device changes hands.
      await moveDevice(client, input.device, known);
      return { prospect: known, merged: false };
    }
    return { prospect: await mergeProspects(client, known, prospect), merged: true };
  });
}

/** Who logged in as that; null when nobody did. */
export async function prospectOfPerson(pool: pg.Pool, person: Pick<Identification, "site" | "subject">): Promise<Uuid | null> {
  return personOf(pool, person.site, hashOf(person));
}

function hashOf({ site, subject }: Pick<Identification, "site" | "subject">): Buffer {
  return createHash("sha256").update(JSON.stringify([site, subject])).digest();
}

/** A device that is there already stays with the prospect that it belongs to, and nobody is made for it. */
async function ensureDevice(client: pg.PoolClient, { prospect, device }: Identification): Promise<void> {
  await client.query(
    `with newcomer as materialized (
       select $1::uuid as device, coalesce((select merged_into from prospect where id = $2::uuid), newcomer($2::uuid, $1::uuid)) as prospect
       where not exists (select from device where id = $1::uuid)
     ),
     owner as (
       insert into prospect (id) select prospect from newcomer on conflict (id) do nothing
     )
     insert into device (id, prospect_id) select device, prospect from newcomer on conflict (id) do nothing`,
    [device, prospect],
  );
}

/** The person known by this log-in and the device's prospect, both locked: what was read before the locks may have changed. */
async function lockBoth(client: pg.PoolClient, input: Identification, hash: Buffer): Promise<{ readonly known: Uuid | null; readonly prospect: Uuid }> {
  for (;;) {
    const known = await personOf(client, input.site, hash);
    const device = await prospectOf(client, input);
    const [prospect = device] = await lockProspects(client, known === null ? [device] : [device, known]);
    const unchanged = (await personOf(client, input.site, hash)) === known && (await prospectOf(client, input)) === device;
    if (unchanged) return { known, prospect };
  }
}

async function prospectOf(client: pg.PoolClient, { device, prospect }: Identification): Promise<Uuid> {
  const { rows } = await client.query<{ prospect_id: Uuid }>("select prospect_id from device where id = $1::uuid", [device]);
  return rows[0]?.prospect_id ?? prospect;
}

async function personOf(client: Pick<pg.PoolClient, "query">, site: string, hash: Buffer): Promise<Uuid | null> {
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
  const prospect = taken ? randomUUIDv7() : input.prospect;
  if (taken) await client.query("insert into prospect (id) values ($1::uuid)", [prospect]);
  if (taken) await moveDevice(client, input.device, prospect);
  await client.query("insert into person (site, subject_hash, prospect_id) values ($1::text, $2::bytea, $3::uuid)", [input.site, hash, prospect]);
  return prospect;
}

async function moveDevice(client: pg.PoolClient, device: Uuid, prospect: Uuid): Promise<void> {
  await client.query("update device set prospect_id = $2::uuid where id = $1::uuid", [device, prospect]);
}
