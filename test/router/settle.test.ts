import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";

import { adoptCall } from "../../src/domain/call/start.ts";
import type { Origin } from "../../src/domain/call/states.ts";
import type { CallRecord } from "../../src/domain/types.ts";
import { settleRecords } from "../../src/router/settle.ts";
import { aCall } from "../adapters/postgres/world.ts";
import { silent } from "../harness/logger.ts";
import { eventually } from "../harness/process.ts";
import { testCalls } from "./builders.ts";

const NOTHING = { handedBack: new Map(), adopted: new Map() };

/** A router that comes after another one, whose record the database has as open. */
function settling(over: { readonly openCalls?: () => Promise<readonly CallRecord[]> } = {}) {
  const open = aCall();
  const [saved, stopping] = [[] as CallRecord[], new AbortController()];
  const records = { replayed: false, save: (record: CallRecord) => void saved.push(record) };
  const store = { openCalls: over.openCalls ?? (() => Promise.resolve([open])) };
  const clock = { now: () => new Date() };
  const settled = settleRecords({ pod: "pod-0", store, records, calls: testCalls(), clock, logger: silent, signal: stopping.signal }, NOTHING, new Date());
  return { open, saved, records, stopping, settled };
}

test("no record is closed before the database has what the disk holds: its end may be among it", async () => {
  const { open, saved, records, settled } = settling();
  await sleep(600);
  expect(saved).toEqual([]);
  records.replayed = true;
  await settled;
  expect(saved).toMatchObject([{ id: open.id, end: "failed" }]);
});

test("a database that is away is asked again; a router that is stopped meanwhile closes nothing, the next one does", async () => {
  let asked = 0;
  const { saved, records, stopping, settled } = settling({ openCalls: () => Promise.reject(new Error(`away for time ${(asked += 1)}`)) });
  records.replayed = true;
  await eventually("it was asked again", () => asked >= 2);
  stopping.abort();
  await settled;
  expect(saved).toEqual([]);
});

function originOf({ pod, did, pool, caller, receivedAt }: CallRecord): Origin {
  return { pod, did, pool, caller: caller as typeof did | null, receivedAt };
}

/** What was found in Asterisk of the calls of an earlier router, and what the database has as open of them. */
async function settledWith({ open = [], handedBack = [], adopted = [], overAlready = false, before = new Date() }: {
  readonly open?: readonly CallRecord[];
  readonly handedBack?: readonly CallRecord[];
  readonly adopted?: readonly CallRecord[];
  /** The adopted call ended before its record was looked for. */
  readonly overAlready?: boolean;
  readonly before?: Date | null;
}) {
  const [saved, asked] = [[] as CallRecord[], [] as unknown[]];
  const clock = { now: () => new Date() };
  const save = (record: CallRecord) => void saved.push(record);
  const calls = testCalls({ save });
  for (const { id } of adopted) {
    calls.start(adoptCall(id, { bridge: `bridge-${id}`, inbound: `in-${id}`, leg: `leg-${id}` }, clock.now()), [], silent);
    for (const channel of overAlready ? [`in-${id}`, `leg-${id}`] : []) calls.dispatch(id, { type: "ChannelGone", channel, cause: 16, sipStatus: null });
  }
  const store = { openCalls: (...question: readonly unknown[]) => Promise.resolve((asked.push(question), open)) };
  const found = {
    handedBack: new Map(handedBack.map((record) => [record.id, originOf(record)])),
    adopted: new Map(adopted.map((record) => [record.id, () => Promise.resolve(originOf(record))])),
  };
  await settleRecords({ pod: "pod-0", store, records: { replayed: true, save }, calls, clock, logger: silent, signal: new AbortController().signal }, found, before);
  return { saved, asked, live: calls.live };
}

const talked = () => aCall({ answeredAt: new Date(), bridgedAt: new Date(), rule: "default/rule", attribution: "exclusive" });
const reasons = (records: readonly CallRecord[]) => records.map(({ id, endedAt, end, why }) => ({ id, isOver: endedAt !== null, end, why: why.map(({ reason }) => reason) }));

test.each([
  ["had of it", true],
  ["never heard of", false],
])("a caller who was given to the dialplan has a record that says so, one that the database %s", async (_, isKnown) => {
  const call = aCall();
  const { saved } = await settledWith({ open: isKnown ? [call] : [], handedBack: [call] });
  expect(reasons(saved)).toEqual([{ id: call.id, isOver: true, end: "failed", why: ["HandedBack"] }]);
  expect(saved[0]).toMatchObject({ pod: call.pod, did: call.did, pool: call.pool, caller: call.caller, receivedAt: call.receivedAt });
});

test.each([
  ["the database has its record", true, "exclusive"],
  ["it has none, and Asterisk says where it came from", false, "unavailable"],
])("a call that goes on keeps its record open, and who calls stays in it: %s", async (_, isKnown, attribution) => {
  const call = talked();
  const { saved, live } = await settledWith({ open: isKnown ? [call] : [], adopted: [call] });
  expect(reasons(saved)).toEqual([{ id: call.id, isOver: false, end: null, why: ["RouterRestarted"] }]);
  expect([live, saved[0]?.attribution]).toEqual([1, attribution]);
});

test("a call that was taken over and ended before its record was found has the end that was seen", async () => {
  const call = talked();
  const { saved } = await settledWith({ open: [call], adopted: [call], overAlready: true });
  expect(reasons(saved)).toEqual([{ id: call.id, isOver: true, end: "completed", why: ["RouterRestarted"] }]);
});

test("a call of which nothing was found has an end that nobody saw", async () => {
  const call = talked();
  const { saved, asked } = await settledWith({ open: [call], before: new Date("2026-06-01T12:00:00Z") });
  expect(reasons(saved)).toEqual([{ id: call.id, isOver: true, end: "completed", why: ["EndUnobserved"] }]);
  expect(asked).toEqual([["pod-0", new Date("2026-06-01T12:00:00Z"), []]]);
});

test("when the pod's other calls have been settled, the database is asked for those that were found, and for nothing where none was", async () => {
  const call = talked();
  expect((await settledWith({ before: null })).asked).toEqual([]);
  expect((await settledWith({ adopted: [call], before: null })).asked).toEqual([[null, expect.any(Date), [call.id]]]);
});
