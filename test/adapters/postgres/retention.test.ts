import { expect, it } from "vitest";
import { purgeOlder } from "../../../src/adapters/postgres/retention.ts";
import { aCall, aPool, aRequest, eachWithWorld } from "./world.ts";

const world = eachWithWorld();
const DAY = 86_400;
const count = async (table: "association" | "call") => (await world.rows<{ n: number }>(`select count(*)::int as n from ${table}`))[0]?.n;

it("what is older than the retention goes, in bounded statements; live leases and calls in progress stay, and so does what is younger", async () => {
  await world.apply(aPool({ owned: [[0, 99]] }));
  const [old, alive, young] = [await world.visitor(), await world.visitor(), await world.visitor()];
  const ended = { endedAt: new Date(), end: "completed", answeredAt: new Date() } as const;
  await world.claim(aRequest(old.prospect), aRequest(alive.prospect));
  // More than one statement's worth, all of long ago.
  await world.rows(
    `insert into association (did, pool_uid, prospect_id, device_id, media_element, attributes, leased_from, other_devices_online, determined_at, shown_at)
     select did, pool_uid, prospect_id, gen_random_uuid(), media_element, attributes, leased_from, other_devices_online, determined_at, shown_at
     from association, generate_series(1, 2500) where prospect_id = $1`,
    [old.prospect],
  );
  await world.stores.router.saveCall(aCall(ended));
  await world.stores.router.saveCall(aCall());
  await world.pass(40 * DAY);
  await world.rows("update number set leased_until = now() + interval '1 hour' where prospect_id = $1", [alive.prospect]);
  await world.claim(aRequest(young.prospect));
  await world.stores.router.saveCall(aCall(ended));

  expect(await purgeOlder(world.database.pool, 30 * DAY)).toEqual({ associations: 2501, calls: 1 });
  expect(await count("association")).toBe(2);
  expect(await count("call")).toBe(2);
  expect(await purgeOlder(world.database.pool, 30 * DAY)).toEqual({ associations: 0, calls: 0 });
});
