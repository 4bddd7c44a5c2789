import { setTimeout as sleep } from "node:timers/promises";

import { describe, expect, test } from "vitest";

import { connect } from "../../../src/adapters/postgres/connect.ts";
import { purge, purgeOlder } from "../../../src/adapters/postgres/retention.ts";
import { saveServedCalls } from "../../../src/adapters/postgres/save-call.ts";
import type { CallRecord, E164, Uuid } from "../../../src/domain/types.ts";
import { createLogger } from "../../../src/shared/logger.ts";
import { eventually } from "../../harness/process.ts";
import { aCall, aDesiredPool, CALLER, eachWithWorld } from "./world.ts";

const world = eachWithWorld();

const OTHER = "+4930123457" as E164;
const DAY = 86_400;
const WHY = [{ rule: null, matched: false, reason: "CallerPrefixDiffers", message: `${CALLER} does not begin with +1` }] as const;
const ENDED = { endedAt: new Date(), end: "completed", answeredAt: new Date() } as const;
const BLANK = { caller: null, prospect: null, mediaElement: null, attributes: {}, why: [] };

const erase = (prospect: Uuid) => world.stores.prospects.erase(prospect);
const eraseCaller = (caller: E164) => world.stores.prospects.eraseCaller(caller);
const read = (id: string) => world.stores.records.call(id);

/** Of somebody, with all that may name the person. */
const callOf = (prospect: Uuid | null, rest: Partial<CallRecord> = {}) =>
  aCall({ prospect, attribution: "exclusive", mediaElement: "for ann", attributes: { email: "ann@example.org" }, why: WHY, ...rest });

describe.each<[string, (record: CallRecord) => Promise<void>]>([
  ["a router", (record) => world.stores.router.saveCall(record)],
  ["the dialplan", (record) => world.stores.router.saveServedCalls([record])],
])("a record of %s that the database gets after the erasure", (_, save) => {
  test.each<[string, (who: { ann: Uuid; merged: Uuid }) => Promise<void>]>([
    ["of its prospect", ({ ann }) => erase(ann)],
    ["of the prospect that its own was merged into", ({ merged }) => erase(merged)],
    ["of its caller", () => eraseCaller(CALLER)],
  ])("%s says that there was a call, and nothing of who called", async (_by, forget) => {
    await world.apply(aDesiredPool());
    const [one, other] = [await world.visitor(), await world.visitor()];
    for (const who of [one, other]) await world.stores.prospects.identify({ site: "shop", subject: "ann", ...who });
    const before = callOf(other.prospect);
    await forget({ ann: other.prospect, merged: one.prospect });
    for (let n = 0; n < 2; n += 1) await save(before);
    expect(await read(before.id)).toMatchObject({ ...BLANK, did: before.did, receivedAt: before.receivedAt, attribution: "exclusive" });
    expect(await world.rows("select erased from call")).toEqual([{ erased: true }]);
  });

  test("is whole when the call came after it, or is somebody else's", async () => {
    await world.apply(aDesiredPool());
    const [ann, bob] = [await world.visitor(), await world.visitor()];
    const others = callOf(bob.prospect, { caller: OTHER });
    await erase(ann.prospect);
    await eraseCaller(CALLER);
    const after = callOf(ann.prospect, { receivedAt: new Date(Date.now() + 1_000) });
    for (const record of [others, after]) await save(record);
    expect(await read(others.id)).toMatchObject({ caller: OTHER, prospect: bob.prospect, mediaElement: "for ann", why: WHY });
    expect(await read(after.id)).toMatchObject({ caller: CALLER, prospect: ann.prospect, attributes: { email: "ann@example.org" }, why: WHY });
    expect(await world.rows("select id from call where erased")).toEqual([]);
  });

  test("stays so when the row of the call was purged and a router that was killed writes it anew", async () => {
    await world.apply(aDesiredPool());
    const ann = await world.visitor();
    const record = callOf(ann.prospect, ENDED);
    await save(record);
    await erase(ann.prospect);
    await world.pass(40 * DAY);
    expect(await purgeOlder(world.database.pool, 30 * DAY)).toMatchObject({ calls: 1 });
    await save({ ...record, receivedAt: new Date(record.receivedAt.getTime() - 40 * DAY * 1000) });
    expect(await read(record.id)).toMatchObject(BLANK);
  });
});

test("a call whose prospect becomes known after that person was erased loses its caller as well", async () => {
  await world.apply(aDesiredPool());
  const ann = await world.visitor();
  const ahead = aCall({ why: WHY });
  await world.stores.router.saveCall(ahead);
  await erase(ann.prospect);
  expect(await read(ahead.id)).toMatchObject({ caller: CALLER });
  await world.stores.router.saveCall(callOf(ann.prospect, { ...ahead, prospect: ann.prospect }));
  expect(await read(ahead.id)).toMatchObject(BLANK);
  await world.stores.router.saveCall({ ...ahead, ...ENDED });
  expect(await read(ahead.id)).toMatchObject({ ...BLANK, end: "completed" });
});

test("a call that was handed back and names an erased caller in the dialplan's line alone loses what the router knew", async () => {
  await world.apply(aDesiredPool());
  const ann = await world.visitor();
  const record = callOf(ann.prospect, { caller: null });
  await world.stores.router.saveCall(record);
  await eraseCaller(CALLER);
  await world.stores.router.saveServedCalls([{ ...record, ...ENDED, caller: CALLER }]);
  expect(await read(record.id)).toMatchObject({ ...BLANK, end: "completed" });
});

describe("a save and an erasure at the same moment:", () => {
  test("the erasure waits for what is being saved and reaches it", async () => {
    await world.apply(aDesiredPool());
    const ann = await world.visitor();
    const record = callOf(ann.prospect);
    const one = connect(world.database.url, createLogger("error"), { max: 1 });
    try {
      await one.query("begin");
      await saveServedCalls(one, [record]);
      const erased = erase(ann.prospect);
      await sleep(100);
      await one.query("commit");
      await erased;
    } finally {
      await one.end();
    }
    expect(await read(record.id)).toMatchObject(BLANK);
  });

  test("the save waits for the erasure and knows of it", async () => {
    await world.apply(aDesiredPool());
    const ann = await world.visitor();
    const record = callOf(ann.prospect);
    const one = connect(world.database.url, createLogger("error"), { max: 1 });
    try {
      // As an erasure does, until its end is allowed.
      await one.query("begin");
      await one.query("select pg_advisory_xact_lock(1482, 0)");
      const saved = world.stores.router.saveCall(record);
      const waiting = "select from pg_locks where not granted and classid = 1482 and database = (select oid from pg_database where datname = current_database())";
      await eventually("the save waits", async () => (await world.rows(waiting)).length === 1);
      await one.query("insert into erasure select erasure_subject('prospect', $1::text), clock_timestamp()", [ann.prospect]);
      await one.query("commit");
      await saved;
    } finally {
      await one.end();
    }
    expect(await read(record.id)).toMatchObject(BLANK);
  });

  test("whichever comes first, nobody who was erased is named, and none fails", async () => {
    await world.apply(aDesiredPool());
    const people = await Promise.all(Array.from({ length: 12 }, () => world.visitor()));
    const records = people.flatMap(({ prospect }) => Array.from({ length: 10 }, () => callOf(prospect)));
    await Promise.all([
      ...people.map(({ prospect }) => erase(prospect)),
      ...records.map(async (record) => {
        await world.stores.router.saveCall(record);
        await world.stores.router.saveCall({ ...record, ...ENDED });
      }),
      eraseCaller(CALLER),
    ]);
    expect(await world.rows("select from call")).toHaveLength(records.length);
    expect(await world.rows("select id from call where not erased or caller is not null or prospect_id is not null")).toEqual([]);
  });
});

test("who was erased is known for 90 days, by hashes alone, also where everything else is kept for ever", async () => {
  const ann = await world.visitor();
  await erase(ann.prospect);
  await world.pass(89 * DAY);
  await eraseCaller(CALLER);
  const kept = async () => JSON.stringify(await world.rows("select * from erasure"));
  for (const secret of [ann.prospect, CALLER.slice(1)]) expect(await kept()).not.toContain(secret);
  expect(await purge(world.database.pool, 0)).toEqual({ erasures: 0 });
  await world.pass(2 * DAY);
  expect(await purge(world.database.pool, 0)).toEqual({ erasures: 1 });
  await world.pass(90 * DAY);
  expect(await purge(world.database.pool, 1)).toMatchObject({ erasures: 1, prospects: 0 });
  expect(await world.rows("select from erasure")).toEqual([]);
});
