import { randomUUID } from "node:crypto";

import { expect, test } from "vitest";

import { claimNumbers } from "../../../src/adapters/postgres/claim-numbers.ts";
import { connect } from "../../../src/adapters/postgres/connect.ts";
import type { ClaimRequest } from "../../../src/domain/types.ts";
import { silent } from "../../harness/logger.ts";
import { aDesiredPool, aRequest, eachWithWorld, overflowAt } from "./world.ts";

const world = eachWithWorld();

/** Of others, in the tables that claims look into. */
const OTHERS = 5_000;
const MOST_READ = 200;

/** A morning on which there was hardly anybody: Postgres looks at its tables, and makes its plans after that. */
async function begun(): Promise<void> {
  for (const table of ["prospect", "device", "number", "association"]) await world.rows(`alter table ${table} set (autovacuum_enabled = false)`);
  await world.apply(aDesiredPool({ owned: [[0, 19]] }), aDesiredPool({ key: "shop/full", owned: [[20, 20]], ...overflowAt(21) }), aDesiredPool({ key: "shop/reclaiming", owned: [[30, 30]], onExhausted: { type: "ReclaimOldest" } }));
  for (let n = 0; n < 2; n += 1) await world.assigned(aRequest(randomUUID()));
  await world.rows("analyze");
}

/** Everybody who came since. */
async function grown(): Promise<void> {
  await world.rows(
    `with others as (insert into prospect (id) select gen_random_uuid() from generate_series(1, $1) returning id),
      devices as (insert into device (id, prospect_id) select gen_random_uuid(), id from others returning id, prospect_id),
      numbers as (
        insert into number (did, pool_uid, prospect_id, in_service, leased_from, leased_until, free_at)
        select 4930000000000 + row_number() over (), (select uid from pool where key = 'shop/full'), prospect_id, true, now(), now() + interval '1 hour', now() + interval '2 hours' from devices
        returning did, pool_uid, prospect_id
      )
    insert into association (did, pool_uid, prospect_id, device_id, media_element, attributes, leased_from, other_devices_online, determined_at, shown_at)
    select n.did, n.pool_uid, n.prospect_id, d.id, 'hero', '{}', now(), '{}', now(), now() from numbers n join devices d on d.prospect_id = n.prospect_id`,
    [OTHERS],
  );
  await world.rows(
    `insert into number (did, pool_uid, prospect_id, in_service, leased_from, leased_until, free_at)
    select 4940000000000 + n, p.uid, gen_random_uuid(), true, now() - interval '1 hour', at, at + p.cooldown
    from pool p, generate_series(1, $1::int) n, lateral (select now() - p.cooldown * (n / ($1::float + 1)) as at) ended where p.key = 'shop/reclaiming'`,
    [OTHERS],
  );
}

/** New, due, standing, shown with something else, without a number of their own, and with one that cools down. */
function visits(): readonly ClaimRequest[] {
  const ann = aRequest(randomUUID());
  return [ann, ann, ann, { ...ann, mediaElement: "footer" }, ...["shop/full", "shop/full", "shop/reclaiming", "shop/reclaiming"].map((pool) => aRequest(randomUUID(), { pool }))];
}

const COUNT = "select coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::int as rows from pg_stat_xact_user_tables";

test("a claim reads the rows that it needs, however small the tables were when its plan was made", async () => {
  await begun();
  // A connection of its own: each keeps its plans.
  const one = connect(world.database.url, silent, { max: 1 });
  const readBy = async (request: ClaimRequest) => {
    await one.query("begin");
    await claimNumbers(one, [request]);
    const { rows } = await one.query<{ rows: number }>(COUNT);
    await one.query("commit");
    return rows[0]?.rows ?? Number.NaN;
  };
  try {
    for (const request of visits()) await readBy(request);
    await grown();
    const read: number[] = [];
    for (const request of visits()) read.push(await readBy(request));
    expect(read.filter((rows) => !(rows > 0 && rows <= MOST_READ))).toEqual([]);
  } finally {
    await one.end();
  }
});
