import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { createStores, type Stores } from "../../src/adapters/postgres/stores.ts";
import type { RoutingRuleMatch } from "../../src/domain/api.generated.ts";
import type { CallContext, CallRecord } from "../../src/domain/types.ts";
import { refusedWith } from "../adapters/asterisk-config/scenarios.ts";
import { desired } from "../adapters/postgres/world.ts";
import { aDestination, aPool, aRule, e164, facts } from "../domain/builders.ts";
import { silent } from "../harness/logger.ts";
import { freshDatabase } from "../harness/postgres.ts";
import { eventually } from "../harness/process.ts";
import { startSippServer, type SippServer } from "../harness/sipp.ts";
import { CALLER, DID, type Rules, type RunningRouter, setRules, startTestRouter, startWorld, toUri, type World } from "./world.ts";

/** What rules say, on live calls: a real Asterisk, real calls, and a real Postgres where it decides. */

let world: World;
let router: RunningRouter;
const parts = new AsyncDisposableStack();
const servers: Record<string, SippServer> = {};

beforeAll(async () => {
  for (const name of ["ann", "ben", "default"]) servers[name] = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  servers["busy"] = parts.use(await startSippServer({ scenario: "busy-486.xml" }));
  world = await startWorld(uri("default"));
  parts.defer(() => world.stop());
  router = await startTestRouter(world, { rule: null });
  parts.defer(() => router.stop());
});
afterAll(() => parts.disposeAsync());
afterEach(() => world.expectEmpty());

function uri(name: string): string {
  return toUri(servers[name]!);
}

function to(name: string, of: Parameters<typeof aDestination>[0] = {}) {
  return aDestination({ name, sipUri: uri(name), ...of });
}

/** Who answered, by the name of the server. */
function answerer({ answeredBy }: CallRecord): string | undefined {
  return Object.keys(servers).find((name) => uri(name) === answeredBy);
}

async function recordsOf(calls: () => Promise<unknown>, count = 1): Promise<readonly CallRecord[]> {
  const before = router.store.final().length;
  await calls();
  await eventually(`${count} final records`, () => router.store.final().length >= before + count);
  return router.store.final().slice(before);
}

async function callRecord(options: Parameters<World["call"]>[0] = {}): Promise<CallRecord> {
  const [record] = await recordsOf(async () => expect(await world.call({ holdMs: 50, ...options })).toMatchObject({ exitCode: 0 }));
  return record!;
}

/** Today by the calendar of a zone, `YYYY-MM-DD`. */
function today(timeZone: string): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short" }).format(new Date());
}

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"] as const;
const ALWAYS = [{ days: [...DAYS], from: "00:00", to: "24:00" }];
const SESSION: Partial<CallContext> = { mediaElements: ["hero"], attributes: { utm_source: "news-letter" } };

describe("a matcher decides whether the rule takes the call", () => {
  const table: readonly (readonly [string, Partial<RoutingRuleMatch>, Partial<CallContext>, string | null])[] = [
    ["callers that begin so", { callers: ["+1312"] }, {}, null],
    ["callers that begin otherwise", { callers: ["+4930", "+44"] }, {}, "CallerPrefixDiffers"],
    ["a schedule that holds", { schedule: { timeZone: "Europe/Berlin", windows: ALWAYS } }, {}, null],
    ["an exception date without windows", { schedule: { timeZone: "Asia/Tokyo", windows: ALWAYS, exceptionDates: [{ date: today("Asia/Tokyo"), windows: [] }] } }, {}, "ExceptionDate"],
    ["the media element that was shown", { mediaElements: ["pricing", "hero"] }, SESSION, null],
    ["another media element", { mediaElements: ["pricing"] }, SESSION, "MediaElementDiffers"],
    ["an attribute that equals", { attributes: [{ name: "utm_source", type: "Equals", value: "news-letter" }] }, SESSION, null],
    ["an attribute that differs", { attributes: [{ name: "utm_source", type: "Equals", value: "news" }] }, SESSION, "AttributeDiffers"],
    ["an attribute's prefix", { attributes: [{ name: "utm_source", type: "Prefix", value: "news" }] }, SESSION, null],
    ["an attribute that is there", { attributes: [{ name: "utm_source", type: "Exists" }] }, SESSION, null],
    ["an attribute that is not there", { attributes: [{ name: "gclid", type: "Exists" }] }, SESSION, "AttributeMissing"],
    ["first-time callers only, and it is one", { repeatCaller: "Never" }, {}, null],
    ["first-time callers only, and it is none", { repeatCaller: "Never" }, { repeatCaller: true }, "RepeatCaller"],
    ["repeat callers only, and it is one", { repeatCaller: "Only" }, { repeatCaller: true }, null],
    ["repeat callers only, and it is none", { repeatCaller: "Only" }, {}, "FirstTimeCaller"],
    ["the attribution", { attribution: ["Exclusive", "Repeat"] }, { attribution: "exclusive" }, null],
    ["another attribution", { attribution: ["Exclusive"] }, { attribution: "stale" }, "AttributionDiffers"],
  ];
  test.each(table)("%s", async (...row) => {
    const [, match, context, mismatch] = row;
    router.store.context = () => Promise.resolve(facts({ context }).context);
    await setRules(world, router, { rule: { match, destinations: [to("ann")] } });
    const record = await callRecord();
    expect([answerer(record), record.rule]).toEqual(mismatch === null ? ["ann", "default/rule"] : ["default", null]);
    expect(record.why[0]).toMatchObject({ rule: "default/rule", matched: mismatch === null, reason: mismatch ?? "Matched" });
  });

  test("a caller who withholds the number is not among callers that begin so, and the record has no number", async () => {
    await setRules(world, router, { rule: { match: { callers: ["+1"] }, destinations: [to("ann")] } });
    const record = await callRecord({ from: "anonymous" });
    expect(record).toMatchObject({ caller: null, rule: null, why: [{ reason: "CallerWithheld" }, { reason: "DefaultDestination" }] });
  });

  test("the rule of higher priority is asked first, the older of two equals before the younger", async () => {
    const rule = (name: string, priority: number, createdAt: string, who: string) => aRule({ priority, destinations: [to(who)] }, { key: `default/${name}`, createdAt });
    const [low, young, old] = [rule("low", 1, "2026-01-01T00:00:00Z", "busy"), rule("young", 5, "2026-02-01T00:00:00Z", "busy"), rule("old", 5, "2026-01-15T00:00:00Z", "ben")];
    await setRules(world, router, { rules: [low, young, old] });
    expect(await callRecord()).toMatchObject({ rule: "default/old", answeredBy: uri("ben") });
  });
});

describe("with a database", () => {
  let stores: Stores;
  const database = new AsyncDisposableStack();
  const without: { callContext?: RunningRouter["store"]["callContext"] } = {};

  beforeAll(async () => {
    const fresh = await freshDatabase();
    database.defer(() => fresh.drop());
    stores = createStores(fresh.pool, fresh.url, silent);
    await stores.operator.apply(desired({ pools: [{ ...aPool(), generation: 1, owned: [{ from: e164("+12025550100"), to: e164("+12025550109") }] }] }));
    without.callContext = router.store.callContext.bind(router.store);
    router.store.callContext = (question) => stores.router.callContext(question);
    router.store.onSave = (record) => stores.router.saveCall(record);
  });
  afterAll(async () => {
    router.store.callContext = without.callContext!;
    router.store.onSave = undefined;
    await database.disposeAsync();
  });

  /** Another caller for each test: the database knows the others. */
  let from = CALLER;
  let callers = 0;
  beforeEach(() => {
    callers += 1;
    from = `+1312555${String(1_000 + callers)}`;
  });

  const strategy = (rule: NonNullable<Rules["rule"]>) => setRules(world, router, { rule });

  test("RoundRobin: each in turn", async () => {
    await strategy({ strategy: "RoundRobin", destinations: [to("ann"), to("ben")] });
    const turns = [await callRecord({ from }), await callRecord({ from }), await callRecord({ from })].map(answerer);
    expect(turns[0]).not.toBe(turns[1]);
    expect(turns[2]).toBe(turns[0]);
  });

  test("RoundRobin: calls that another rule takes turn nothing on", async () => {
    const turning = (name: string, callers: string) => aRule({ strategy: "RoundRobin", match: { callers: [callers] }, destinations: [to("ann"), to("ben")] }, { key: `default/${name}` });
    await setRules(world, router, { rules: [turning("near", "+1312"), turning("far", "+44")] });
    const answerers: (string | undefined)[] = [];
    for (const caller of [from, "+442079460000", from, "+442079460000"]) answerers.push(answerer(await callRecord({ from: caller })));
    expect(answerers).toEqual(["ann", "ann", "ben", "ben"]);
  });

  test("LeastCalls: the one who has fewer calls, and of equals the first", async () => {
    await strategy({ strategy: "LeastCalls", destinations: [to("ann"), to("ben")] });
    const first = world.call({ from, holdMs: 3_000 });
    await eventually("the first call is recorded as live", async () => (await stores.router.callContext({ did: e164(DID), pool: "default/sales", caller: null, at: new Date() })).liveCalls[uri("ann")] === 1);
    expect(answerer(await callRecord({ from }))).toBe("ben");
    const [last] = await recordsOf(async () => expect(await first).toMatchObject({ exitCode: 0 }));
    expect(answerer(last!)).toBe("ann");
  });

  test("Weighted: by the weights, and who is not had fails over to the others", async () => {
    await strategy({ strategy: "Weighted", destinations: [to("ann"), to("ben", { weight: 2 })] });
    const records = await recordsOf(() => world.call({ from, calls: 40, rate: 40, holdMs: 50 }), 40);
    // By chance alone one of them would get none once in ten million runs.
    expect(new Set(records.map(answerer))).toEqual(new Set(["ann", "ben"]));
    await strategy({ strategy: "Weighted", onBusy: "Next", destinations: [to("busy", { weight: 1_000 }), to("ann")] });
    expect(await callRecord({ from })).toMatchObject({ answeredBy: uri("ann") });
  });

  test("a sticky rule rings first who answered this caller last, others as the strategy says", async () => {
    await strategy({ destinations: [to("ben")] });
    expect(answerer(await callRecord({ from }))).toBe("ben");
    await strategy({ stickyCaller: "Enabled", destinations: [to("ann"), to("ben")] });
    const again = await callRecord({ from });
    expect([answerer(again), again.why.map(({ reason }) => reason)]).toEqual(["ben", ["Matched", "StickyCaller"]]);
    expect(answerer(await callRecord({ from: "+13125559999" }))).toBe("ann");
    await strategy({ stickyCaller: "Disabled", destinations: [to("ann"), to("ben")] });
    expect(answerer(await callRecord({ from }))).toBe("ann");
  });

  test("a sticky destination that is busy does not keep the caller from the others", async () => {
    await strategy({ destinations: [to("ben")] });
    expect(answerer(await callRecord({ from }))).toBe("ben");
    await strategy({ stickyCaller: "Enabled", onBusy: "Next", destinations: [to("busy"), to("ann")] });
    expect(await callRecord({ from })).toMatchObject({ answeredBy: uri("ann"), legs: [{ result: "busy" }, { result: "answered" }] });
  });

  test("a caller is a repeat caller from the second answered call on", async () => {
    await strategy({ match: { repeatCaller: "Only" }, destinations: [to("ann")] });
    expect([answerer(await callRecord({ from })), answerer(await callRecord({ from }))]).toEqual(["default", "ann"]);
  });

  test("a blocked caller is refused with 403, rings nobody, and the record names the prefix; others pass", async () => {
    await setRules(world, router, { rule: { destinations: [to("ann")] }, pool: { blockedCallers: [from.slice(0, 9)] } });
    const refused = await callRecord({ from, scenario: refusedWith(403), keys: { headers: "Subject: none" } });
    expect(refused).toMatchObject({ end: "refused", legs: [], answeredAt: null, why: [{ reason: "CallerBlocked", matched: true }] });
    expect(await stores.records.call(refused.id)).toMatchObject({ end: "refused", caller: from });
    expect(answerer(await callRecord({ from: "+4930123456" }))).toBe("ann");
  });
});
