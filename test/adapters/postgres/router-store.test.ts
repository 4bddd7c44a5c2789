import { randomUUID } from "node:crypto";

import { describe, expect, test, vi } from "vitest";

import { connect } from "../../../src/adapters/postgres/connect.ts";
import { readCall, readCalls } from "../../../src/adapters/postgres/read-calls.ts";
import { nextTurn, readTurns } from "../../../src/adapters/postgres/turns.ts";
import { NOTHING_KNOWN } from "../../../src/domain/attribution.ts";
import { closeUnobserved, POD_LOST } from "../../../src/domain/call/recognise.ts";
import type { PodReport } from "../../../src/domain/ports.ts";
import { BY_DIALPLAN } from "../../../src/domain/served-call.ts";
import type { CallContext, CallRecord } from "../../../src/domain/types.ts";
import { createLogger } from "../../../src/shared/logger.ts";
import { aReport, aRule, aTrunk } from "../../domain/builders.ts";
import { aCall, aDesiredPool, aLeg, aRequest, CALLER, desired, did, eachWithWorld, overflowAt, SALES } from "./world.ts";

const world = eachWithWorld();

/** Asked by itself and together with others, where it must be the same but for the calls in progress. */
async function context(of: Partial<Parameters<typeof world.stores.router.callContext>[0]> = {}): Promise<CallContext> {
  const question = { did: did(0), pool: SALES, caller: CALLER, at: new Date(), ...of };
  const nobody = { ...question, pool: "nobody/nothing" };
  const together = await world.stores.router.callContexts([nobody, question, nobody]);
  const alone = await world.stores.router.callContext(question);
  expect(together).toEqual([NOTHING_KNOWN, { ...alone, liveCalls: {} }, NOTHING_KNOWN]);
  return alone;
}

const save = (record: CallRecord) => world.stores.router.saveCall(record);
const HOUR = 3600;

describe("the snapshot", () => {
  test("is what was applied, as of one revision", async () => {
    const state = desired({
      pools: [aDesiredPool({ key: "shop/b", labels: { team: "b" }, owned: [] }), aDesiredPool({ key: "shop/a", createdAt: new Date("2026-02-03T04:05:06.789Z") })],
      rules: [aRule({ priority: 7 }, { pools: ["shop/b", "shop/a"] })],
      trunks: [aTrunk({ sourceAddresses: ["192.0.2.0/24"] })],
    });
    expect(await world.stores.router.snapshot()).toEqual({ ...(await world.stores.router.revision()), pools: [], rules: [], trunks: [] });
    const { revision, mark } = await world.stores.operator.apply(state);
    const pools = state.pools.map(({ key, uid, createdAt, labels, spec }) => ({ key, uid, createdAt, labels, spec })).reverse();
    const rules = state.rules.map((rule) => ({ ...rule, pools: ["shop/a", "shop/b"] }));
    expect(await world.stores.router.snapshot()).toEqual({ revision, mark, pools, rules, trunks: state.trunks });
  });
});

describe("what changed after a revision", () => {
  const marks = new Map<number, string>();
  const apply = async (of: Parameters<typeof desired>[0]) => {
    const applied = await world.stores.operator.apply(desired(of));
    marks.set(applied.revision, applied.mark);
    return applied;
  };
  /** What else is told than the revision, whose mark is that of the last apply. */
  const changes = async (since: number) => {
    const told = await world.stores.router.changes({ revision: since, mark: marks.get(since) ?? randomUUID() });
    if (told === null) return null;
    const { mark, ...rest } = told;
    expect(mark).toBe(marks.get(told.revision));
    return rest;
  };
  const [a, b] = [aDesiredPool({ key: "shop/a" }), aDesiredPool({ key: "shop/b", owned: [] })];
  const [first, second] = [aRule({ priority: 1 }, { key: "shop/first", pools: ["shop/a"] }), aRule({ priority: 2 }, { key: "shop/second", pools: ["shop/a"] })];
  const none = { pools: [], rules: [], trunks: [], gone: { pools: [], rules: [], trunks: [] } };

  test("is only what changed, came or went since then, however often", async () => {
    await apply({ pools: [a, b], rules: [first], trunks: [aTrunk()] });
    expect(await changes(1)).toEqual({ revision: 1, ...none });
    await apply({ pools: [a, b], rules: [first, second], trunks: [aTrunk()] });
    expect(await changes(1)).toEqual({ revision: 2, ...none, rules: [second] });
    const changed = { ...first, spec: { ...first.spec, priority: 9 } };
    await apply({ pools: [a], rules: [changed], trunks: [] });
    expect(await changes(2)).toEqual({ revision: 3, ...none, rules: [changed], gone: { pools: [b.uid], rules: [second.uid], trunks: [aTrunk().uid] } });
    expect(await changes(1)).toMatchObject({ revision: 3, rules: [changed], gone: { pools: [b.uid], rules: [second.uid] } });
    await apply({ pools: [a, b], rules: [changed, second], trunks: [] });
    expect(await changes(3)).toMatchObject({ revision: 4, pools: [{ uid: b.uid }], rules: [second], gone: { pools: [], rules: [] } });
  });

  test("is not known of what was long ago, nor of a revision that this database has not had", async () => {
    await apply({ rules: [first] });
    await apply({});
    await world.rows("update removal set removed_at = now() - interval '2 hours'");
    await apply({ rules: [second] });
    expect(await changes(1)).toBeNull();
    expect(await changes(2)).toMatchObject({ revision: 3, rules: [second] });
    expect(await changes(4)).toBeNull();
    expect(await world.rows("select from removal")).toEqual([]);
  });

  test("is not known after a failover to a copy that lacked it, whatever its number; and who applied it is told", async () => {
    await apply({ rules: [first] });
    const lost = desired({ rules: [first, second] });
    const applied = await world.stores.operator.apply(lost);
    const held = await world.stores.router.snapshot();
    await loseRevision(2);
    const third = aRule({}, { key: "shop/third", pools: ["shop/a"] });
    // The present operator still takes the second revision for the last one.
    const again = await world.stores.operator.apply(desired({ rules: [first, third] }), { ...applied, desired: lost });
    expect(again).toMatchObject({ revision: held.revision, changed: true, continues: false });
    expect(again.mark).not.toBe(held.mark);
    expect(await world.stores.router.changes(held)).toBeNull();
    marks.set(again.revision, again.mark);
    expect(await changes(1)).toMatchObject({ revision: 2, rules: [third] });
    expect((await world.stores.router.snapshot()).rules.map(({ key }) => key)).toEqual(["shop/first", "shop/third"]);
  });

  test("is known of the revision of an hour ago, and of none that was past by then", async () => {
    for (const rules of [[first], [], [second], [first, second]]) await apply({ rules });
    await world.rows("update revision_mark set made_at = now() - interval '2 hours' where value < 4");
    await apply({ rules: [second] });
    expect(await world.rows("select value::int from revision_mark order by value")).toEqual([{ value: 3 }, { value: 4 }, { value: 5 }]);
    expect(await changes(3)).toMatchObject({ revision: 5 });
  });

  /** As on a copy of the database that had only the revisions before. */
  async function loseRevision(value: number): Promise<void> {
    const without = ["rule", "pool", "trunk"].map((table) => `delete from ${table} where changed_with = ${value};`).join("");
    const back = `delete from revision_mark where value = ${value}; update revision set value = m.value, mark = m.mark from revision_mark m where m.value = ${value - 1};`;
    await world.rows(`begin; set local session_replication_role = replica; ${without} ${back} commit`);
  }
});

describe("the dialplan", () => {
  const apply = (hash: string) => world.stores.operator.apply(desired({ dialplan: () => ({ hash, marker: `DIALPLANE_REVISION=${hash}`, content: `; 'quoted' \\ ${hash}\n` }) }));

  test("is the newest, with the revision that brought it", async () => {
    expect(await world.stores.router.dialplan()).toBeNull();
    expect(await world.stores.router.dialplanHash()).toBeNull();
    await apply("a");
    await apply("b");
    expect(await world.stores.router.dialplan()).toEqual({ revision: 2, hash: "b", marker: "DIALPLANE_REVISION=b", content: "; 'quoted' \\ b\n" });
    await apply("a");
    expect(await world.stores.router.dialplan()).toMatchObject({ revision: 3, hash: "a" });
    expect(await world.stores.router.dialplanHash()).toBe("a");
  });

  test("keeps its revision when something else changes", async () => {
    await apply("a");
    await world.stores.operator.apply(desired({ trunks: [aTrunk()], dialplan: () => ({ hash: "a", marker: "m", content: "c" }) }));
    expect(await world.stores.router.revision()).toMatchObject({ revision: 2 });
    expect(await world.stores.router.dialplan()).toMatchObject({ revision: 1, hash: "a" });
  });

  test("of long ago is dropped", async () => {
    for (let n = 0; n < 13; n += 1) await apply(`hash ${n}`);
    const { length } = await world.rows("select from dialplan");
    expect(length).toBe(10);
    expect(await world.stores.router.dialplan()).toMatchObject({ revision: 13 });
  });
});

describe("pods", () => {
  const report = (of: Partial<PodReport>) => world.stores.router.reportPod(aReport(of));
  const pods = () => world.stores.operator.pods();
  const names = async () => (await pods()).map(({ pod }) => pod);

  test("report what they run, each its last word", async () => {
    const trunks = { running: "f00", loaded: true, error: null, reachability: { "shop/carrier": "Reachable", "shop/spare": "Unreachable" } } as const;
    await report({ pod: "asterisk-1", error: "it can't be loaded" });
    await report({ pod: "asterisk-0", running: "a", routing: 7 });
    await report({ pod: "asterisk-0", running: "b", routing: 9_007_199_254_740, trunks });
    expect(await pods()).toEqual([
      { pod: "asterisk-0", running: "b", error: null, routing: 9_007_199_254_740, trunks },
      { pod: "asterisk-1", running: null, error: "it can't be loaded", routing: null, trunks: null },
    ]);
  });

  test("that are silent for half a minute are gone; their rows stay while somebody may ask whether their calls are lost", async () => {
    await report({ pod: "asterisk-1" });
    await world.pass(20);
    await report({ pod: "asterisk-0" });
    expect(await names()).toEqual(["asterisk-0", "asterisk-1"]);
    await world.pass(15);
    expect(await names()).toEqual(["asterisk-0"]);
    expect(await world.rows("select pod from pod")).toHaveLength(2);
    await report({ pod: "asterisk-1" });
    expect(await names()).toEqual(["asterisk-0", "asterisk-1"]);
    await world.pass(700);
    await report({ pod: "asterisk-0" });
    await pods();
    expect(await world.rows("select pod from pod")).toEqual([{ pod: "asterisk-0" }]);
  });

  test("that end take themselves off", async () => {
    await report({ pod: "asterisk-0" });
    await report({ pod: "asterisk-1" });
    await world.stores.router.removePod("asterisk-0");
    await world.stores.router.removePod("never-was-there");
    expect(await names()).toEqual(["asterisk-1"]);
  });

  test("are heard of when they say something new, and not with every sign of life", async () => {
    let heard = 0;
    const stop = await world.stores.operator.onPods(() => (heard += 1));
    const after = heard;
    for (let n = 0; n < 5; n += 1) await report({ pod: "asterisk-0", running: "a" });
    await report({ pod: "asterisk-0", running: "b" });
    await world.stores.router.removePod("asterisk-0");
    await vi.waitFor(() => expect(heard - after).toBeGreaterThanOrEqual(3), { timeout: 10_000 });
    expect(heard - after).toBe(3);
    await stop();
  });

  test("say at length what went wrong: its beginning is kept", async () => {
    await report({ pod: "asterisk-0", error: `no\0 ${"x".repeat(5_000)}` });
    expect((await pods())[0]?.error).toMatch(/^no {2}x{996}$/);
  });
});

describe("a call is attributed", () => {
  /** One number, lent to a prospect now. */
  async function lent(of: Parameters<typeof aDesiredPool>[0] = {}) {
    await world.apply(aDesiredPool({ owned: [[0, 0]], cooldownSeconds: HOUR, attributionWindowSeconds: 24 * HOUR, ...of }));
    const ann = await world.visitor();
    await world.assigned(aRequest(ann.prospect, { ...ann, attributes: { utm_source: "news" } }));
    return ann;
  }

  test("exclusive while the lease lives, with what was shown, most recent first", async () => {
    const ann = await lent();
    await world.assigned(aRequest(ann.prospect, { ...ann, mediaElement: "footer", attributes: { utm_source: "search" } }));
    expect(await context()).toEqual({
      attribution: "exclusive", prospect: ann.prospect, mediaElements: ["footer", "hero"], attributes: { utm_source: "search" },
      repeatCaller: false, lastAnsweredBy: null, liveCalls: {},
    });
  });

  test("stale while nobody else can have seen the number, and after that while nobody did", async () => {
    const ann = await lent();
    await world.pass(HOUR);
    expect(await context()).toMatchObject({ attribution: "stale", prospect: ann.prospect, mediaElements: ["hero"] });
    await world.pass(20 * HOUR);
    expect(await context()).toMatchObject({ attribution: "stale", prospect: ann.prospect });
  });

  test("to nobody when the window is over", async () => {
    await lent();
    await world.pass(25 * HOUR);
    expect(await context()).toMatchObject({ attribution: "none", prospect: null, mediaElements: [], attributes: {} });
  });

  test("to nobody when the number was never lent, or is not the pool's, or the pool is unknown", async () => {
    await world.apply(aDesiredPool());
    expect(await context()).toMatchObject({ attribution: "none", prospect: null });
    expect(await context({ did: did(99) })).toMatchObject({ attribution: "none", prospect: null });
    expect(await context({ pool: "shop/nowhere" })).toEqual({ attribution: "none", prospect: null, mediaElements: [], attributes: {}, repeatCaller: false, lastAnsweredBy: null, liveCalls: {} });
  });

  test("overflow for the pool's overflow number", async () => {
    await world.apply(aDesiredPool({ ...overflowAt(5) }));
    expect(await context({ did: did(5) })).toMatchObject({ attribution: "overflow", prospect: null });
  });

  test.each([["who is known", false], ["who was forgotten", true]])("ambiguous when the number was handed on within the window by somebody %s", async (_, forgotten) => {
    const ann = await lent();
    await world.pass(3 * HOUR);
    const bob = await world.visitor();
    await world.assigned(aRequest(bob.prospect));
    if (forgotten) await world.stores.prospects.erase(ann.prospect);
    expect(await context()).toMatchObject({ attribution: "exclusive", prospect: bob.prospect });
    await world.pass(HOUR);
    expect(await context()).toMatchObject({ attribution: "stale", prospect: bob.prospect });
    await world.pass(2 * HOUR);
    expect(await context()).toMatchObject({ attribution: "ambiguous", prospect: bob.prospect, mediaElements: ["hero"] });
    await world.pass(19.5 * HOUR);
    expect(await context()).toMatchObject({ attribution: "stale", prospect: bob.prospect });
  });

  test("repeat when this caller reached the number's earlier prospect", async () => {
    const ann = await lent();
    await save(aCall({ prospect: ann.prospect }));
    await world.pass(3 * HOUR);
    const bob = await world.visitor();
    await world.assigned(aRequest(bob.prospect, { mediaElement: "footer" }));
    expect(await context()).toMatchObject({ attribution: "repeat", prospect: ann.prospect, mediaElements: ["hero"], attributes: { utm_source: "news" } });
    expect(await context({ caller: null })).toMatchObject({ attribution: "exclusive", prospect: bob.prospect, mediaElements: ["footer"] });
  });

  test("by a number that was taken out of the pool while its lease lives", async () => {
    const ann = await lent();
    await world.apply(aDesiredPool({ owned: [] }));
    expect(await context()).toMatchObject({ attribution: "exclusive", prospect: ann.prospect });
  });
});

describe("a caller", () => {
  const answered = (rest: Partial<CallRecord> = {}) => aCall({ answeredAt: new Date(), answeredBy: "+12025550141", ...rest });

  test.each<[string, Partial<CallRecord>, boolean]>([
    ["had an answered call to the pool, on any number of it", { did: did(7) }, true],
    ["called, but nobody answered", { answeredAt: null, answeredBy: null }, false],
    ["had a call to another pool", { pool: "shop/help" }, false],
    ["is not the one who called", { caller: "+4930123457" }, false],
    ["begins like a caller who sends more than a number", { caller: `${CALLER}0000000000` }, false],
  ])("who %s", async (_, call, repeat) => {
    await world.apply(aDesiredPool());
    await save(answered(call));
    expect(await context()).toMatchObject({ repeatCaller: repeat, lastAnsweredBy: repeat ? "+12025550141" : null });
  });

  test("was answered last by the destination of the latest answered call", async () => {
    await world.apply(aDesiredPool());
    await save(answered({ answeredBy: "sip:early@example.org", receivedAt: new Date(Date.now() - 2000) }));
    await save(answered({ answeredBy: "sip:late@example.org", receivedAt: new Date(Date.now() - 1000) }));
    await save(aCall());
    expect(await context()).toMatchObject({ lastAnsweredBy: "sip:late@example.org" });
  });

  test("who is withheld repeats nothing", async () => {
    await world.apply(aDesiredPool());
    await save(answered({ caller: null }));
    expect(await context({ caller: null })).toMatchObject({ repeatCaller: false, lastAnsweredBy: null });
  });
});

test("calls in progress are not added up for a call whose rules don't ask", async () => {
  await world.apply(aDesiredPool());
  await save(aCall({ legs: [aLeg("a")] }));
  expect(await context({ liveCalls: false })).toMatchObject({ liveCalls: {} });
  expect(await context()).toMatchObject({ liveCalls: { "+12025550141": 1 } });
});

describe("whose turn it is", () => {
  const [all, late] = [aRule({ strategy: "RoundRobin" }, { key: "shop/all", pools: [SALES] }), aRule({}, { key: "shop/late", pools: ["shop/help"] })];
  const declare = (...rules: readonly (typeof all)[]) => world.stores.operator.apply(desired({ pools: [aDesiredPool(), aDesiredPool({ key: "shop/help", owned: [] })], rules }));

  test("every rule counts its calls from 0, and no two calls get the same count", async () => {
    await declare(all, late);
    const counts = await Promise.all(Array.from({ length: 20 }, () => world.stores.router.nextTurn(all.uid)));
    expect(counts.sort((a, b) => a! - b!)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(await world.stores.router.nextTurn(late.uid)).toBe(0);
    expect(await readTurns(world.database.pool, SALES)).toEqual({ "shop/all": 20 });
    expect(await readTurns(world.database.pool, "shop/help")).toEqual({ "shop/late": 1 });
  });

  test("a rule that changes goes on, one that is gone is forgotten", async () => {
    await declare(all, late);
    for (const { uid } of [all, late]) await world.stores.router.nextTurn(uid);
    await declare({ ...all, spec: { ...all.spec, priority: 7 } });
    expect(await world.stores.router.nextTurn(all.uid)).toBe(1);
    expect(await world.stores.router.nextTurn(late.uid)).toBeNull();
    expect(await world.rows("select rule_uid, calls::int from rule_turn")).toEqual([{ rule_uid: all.uid, calls: 2 }]);
  });

  test("a call is counted without waiting for the disk, and what the same connection writes next waits again", async () => {
    await declare(all);
    const one = connect(world.database.url, createLogger("error"), { max: 1 });
    const waits = async () => (await one.query<{ synchronous_commit: string }>("show synchronous_commit")).rows[0]?.synchronous_commit;
    try {
      // The server of the tests waits for no disk at all.
      await one.query("set synchronous_commit to on");
      await one.query("begin");
      await nextTurn(one, all.uid);
      expect(await waits()).toBe("off");
      await one.query("commit");
      expect(await waits()).toBe("on");
    } finally {
      await one.end();
    }
  });
});

describe("a call that the dialplan served", () => {
  const served = (id: string): CallRecord => {
    const [at, over] = [new Date(), new Date(Date.now() + 1000)];
    const leg = aLeg(`${id}.default`, { destination: "+12025550199", answeredAt: at, endedAt: over, result: "answered", hangupCause: 16 });
    return aCall({ id, answeredAt: at, bridgedAt: at, endedAt: over, end: "completed", hangupCause: 16, attribution: "unavailable", answeredBy: "+12025550199", legs: [leg], why: [BY_DIALPLAN] });
  };
  const read = (id: string) => world.stores.records.call(id);

  test("is recorded once, however often it is read", async () => {
    const record = served("by-dialplan");
    for (let n = 0; n < 3; n += 1) await world.stores.router.saveServedCalls([record, record, served("another")]);
    expect(await read(record.id)).toMatchObject({ end: "completed", answeredBy: "+12025550199", legs: [{ result: "answered" }], why: [{ reason: "ServedByDialplan" }] });
    expect(await world.rows("select id from call order by id")).toEqual([{ id: "another" }, { id: "by-dialplan" }]);
    await world.stores.router.saveServedCalls([]);
  });

  test("after a router gave it away keeps what that router knew, and how it went on is not undone by a replay", async () => {
    const ann = await world.visitor();
    const taken = aCall({ prospect: ann.prospect, attribution: "exclusive", mediaElement: "hero", legs: [aLeg("a")] });
    const why = { rule: null, matched: false, reason: "HandedBack", message: "given away" } as const;
    const given: CallRecord = { ...taken, endedAt: new Date(), end: "failed", legs: [aLeg("a", { endedAt: new Date(), result: "cancelled" })], why: [why] };
    await save(taken);
    await save(given);
    await world.stores.router.saveServedCalls([served(taken.id)]);
    for (const replay of [taken, given]) await save(replay);
    await world.stores.router.saveServedCalls([served(taken.id)]);
    expect(await read(taken.id)).toMatchObject({
      prospect: ann.prospect, attribution: "exclusive", mediaElement: "hero", caller: taken.caller, receivedAt: taken.receivedAt,
      end: "completed", answeredBy: "+12025550199", legs: [{ channel: "a", result: "cancelled" }, { result: "answered" }], why: [why, { reason: "ServedByDialplan" }],
    });
    expect((await world.rows("select from live_leg")).length).toBe(0);
  });
});

describe("calls in progress", () => {
  test("are counted by destination over all pods, while their legs live", async () => {
    await world.apply(aDesiredPool());
    const first = aCall({ legs: [aLeg("a"), aLeg("b"), aLeg("c", { destination: "sip:desk@example.org" })] });
    await save(first);
    await save(aCall({ pod: "pod-1", legs: [aLeg("d")] }));
    expect((await context()).liveCalls).toEqual({ "+12025550141": 3, "sip:desk@example.org": 1 });
    const now = new Date();
    await save({ ...first, answeredAt: now, legs: [aLeg("a", { answeredAt: now }), aLeg("b", { endedAt: now }), aLeg("c", { endedAt: now, destination: "sip:desk@example.org" })] });
    expect((await context()).liveCalls).toEqual({ "+12025550141": 2 });
    await save({ ...first, answeredAt: now, endedAt: now, end: "completed", legs: [aLeg("a", { answeredAt: now })] });
    expect((await context()).liveCalls).toEqual({ "+12025550141": 1 });
  });

  test("of a pod that has been silent for minutes are lost; of one that reports, and young ones, are not", async () => {
    const { router } = world.stores;
    await router.reportPod(aReport({ pod: "pod-1" }));
    const [lost, living] = [aCall({ pod: "pod-0", legs: [aLeg("a")] }), aCall({ pod: "pod-1" })];
    for (const record of [lost, living]) await router.saveCall(record);
    expect(await router.lostCalls()).toEqual([]);
    await world.pass(45);
    // The operator does not count a pod any more long before its calls are lost.
    expect((await world.stores.operator.pods()).map(({ pod }) => pod)).toEqual([]);
    expect(await router.lostCalls()).toEqual([]);
    await world.pass(105);
    await router.reportPod(aReport({ pod: "pod-1" }));
    await router.saveCall(aCall({ pod: "pod-2" }));
    expect((await router.lostCalls()).map(({ id }) => id)).toEqual([lost.id]);
    const question = { did: did(0), pool: SALES, caller: CALLER, at: new Date() };
    await world.apply(aDesiredPool());
    expect((await router.callContext(question)).liveCalls).toEqual({ "+12025550141": 1 });
    await router.saveCall(closeUnobserved(lost, new Date(), POD_LOST));
    expect((await router.callContext(question)).liveCalls).toEqual({});
    expect(await router.lostCalls()).toEqual([]);
    // The pod was only cut off: the end that it saw is the truth.
    await router.saveCall({ ...lost, endedAt: new Date(), end: "no-answer", legs: [aLeg("a", { endedAt: new Date(), result: "no-answer" })] });
    expect(await world.stores.records.call(lost.id)).toMatchObject({ end: "no-answer", why: [] });
  });

  test("that go on under another router are found by their ids, whatever its pod is called", async () => {
    const { router } = world.stores;
    const [one, other] = [aCall({ pod: "pod-0", receivedAt: new Date(0) }), aCall({ pod: "pod-0", receivedAt: new Date(0) })];
    for (const record of [one, other]) await router.saveCall(record);
    expect((await router.openCalls("pod-1", new Date(), [one.id])).map(({ id }) => id)).toEqual([one.id]);
    expect((await router.openCalls(null, new Date(), [one.id])).map(({ id }) => id)).toEqual([one.id]);
    expect(await router.openCalls("pod-0", new Date(), [])).toHaveLength(2);
    // Closed while its pod was silent: what goes on is not over.
    await router.saveCall(closeUnobserved(one, new Date(), POD_LOST));
    expect((await router.openCalls("pod-0", new Date(), [one.id])).map(({ id }) => id).sort()).toEqual([one.id, other.id].sort());
    expect((await router.openCalls("pod-0", new Date(), [])).map(({ id }) => id)).toEqual([other.id]);
  });

  test("that no pod ended within a day count no more", async () => {
    await world.apply(aDesiredPool());
    await save(aCall({ legs: [aLeg("a")] }));
    await world.pass(25 * HOUR);
    expect((await context()).liveCalls).toEqual({});
  });
});

describe("a call record", () => {
  test("is written together with those that are saved at the same moment, and each as if it came alone", async () => {
    await world.apply(aDesiredPool());
    const now = new Date();
    const ended = aCall({ id: "ended", legs: [aLeg("a", { endedAt: now })], endedAt: now, end: "completed" });
    const living = aCall({ id: "living", legs: [aLeg("b", { destination: "+12025550141" }), aLeg("c", { endedAt: now })] });
    await Promise.all([save({ ...ended, endedAt: null, end: null, legs: [aLeg("a")] }), save(ended), save(living), save({ ...ended, endedAt: null, end: null })]);
    expect(await readCall(world.database.pool, "ended")).toEqual(ended);
    expect(await world.rows("select channel, call_id from live_leg")).toEqual([{ channel: "b", call_id: "living" }]);
    await Promise.all([save({ ...living, endedAt: now, end: "completed" }), save(ended)]);
    expect(await world.rows("select channel from live_leg")).toEqual([]);
  });

  test("that can't be written keeps no other from being written", async () => {
    await world.apply(aDesiredPool());
    const results = await Promise.allSettled([save(aCall({ id: "before" })), save(aCall({ id: "bad", did: "+x" as CallRecord["did"] })), save(aCall({ id: "after" }))]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await world.rows("select id from call order by id")).toEqual([{ id: "after" }, { id: "before" }]);
  });

  const at = (second: number) => new Date(Date.UTC(2026, 5, 1, 12, 0, second));
  const received = aCall({ id: "call", receivedAt: at(0), prospect: randomUUID(), attribution: "exclusive", mediaElement: "hero", attributes: { utm_source: "news" }, rule: "shop/rule", why: [{ rule: "shop/rule", matched: true, reason: "Matched", message: "it matched" }] });
  const ringing = { ...received, legs: [aLeg("leg", { startedAt: at(1) })] };
  const answered = { ...ringing, answeredAt: at(5), answeredBy: "+12025550141", legs: [aLeg("leg", { startedAt: at(1), answeredAt: at(5), result: "answered" as const })] };
  const bridged = { ...answered, bridgedAt: at(5), bridge: "bridge" };
  const ended = { ...bridged, endedAt: at(60), end: "completed" as const, hangupCause: 16, legs: [{ ...answered.legs[0]!, endedAt: at(60), hangupCause: 16 }] };
  const stages = [received, ringing, answered, bridged, ended];

  test("is read back as it was written, at every stage", async () => {
    for (const stage of stages) {
      await save(stage);
      expect(await readCall(world.database.pool, "call")).toEqual(stage);
    }
    expect(await readCalls(world.database.pool, {}, { limit: 10 })).toEqual([ended]);
    expect(await readCall(world.database.pool, "unknown")).toBeNull();
  });

  test("may be written again and again", async () => {
    for (const stage of [ended, ended, ended]) await save(stage);
    expect(await readCalls(world.database.pool, {}, { limit: 10 })).toEqual([ended]);
  });

  test.each(stages.slice(1).map((stage, n) => [n + 1, stage] as const))("of stage %i is not undone by any earlier one that is replayed", async (n, stage) => {
    await save(stage);
    for (const earlier of stages.slice(0, n).reverse()) await save(earlier);
    expect(await readCall(world.database.pool, "call")).toEqual(stage);
    expect(await world.rows("select from live_leg")).toHaveLength(stage === ended ? 0 : 1);
  });

  test("in whatever order its stages arrive at once, ends as the latest", async () => {
    await Promise.all([...stages].reverse().concat(stages).map(save));
    expect(await readCall(world.database.pool, "call")).toEqual(ended);
    expect(await world.rows("select from live_leg")).toEqual([]);
  });

  test("written with an id that was merged meanwhile is the person's", async () => {
    const [laptop, phone] = [await world.visitor(), await world.visitor()];
    for (const each of [laptop, phone]) await world.stores.prospects.identify({ site: "shop", subject: "ann", ...each });
    await save({ ...ended, prospect: phone.prospect });
    expect(await readCall(world.database.pool, "call")).toMatchObject({ prospect: laptop.prospect });
  });

  test("lists are newest first", async () => {
    for (const second of [2, 1, 3]) await save(aCall({ id: `call ${second}`, receivedAt: at(second) }));
    expect((await readCalls(world.database.pool, {}, { limit: 2 })).map(({ id }) => id)).toEqual(["call 3", "call 2"]);
  });
});
