import { describe, expect, test } from "vitest";

import type { ListedChannel } from "../../src/adapters/ari/events.ts";
import type { Telephony } from "../../src/adapters/ari/telephony.ts";
import { fallbackContext } from "../../src/domain/asterisk-names.ts";
import { bridgeId, callId, legId } from "../../src/domain/call/ids.ts";
import type { CallRecord } from "../../src/domain/types.ts";
import type { TelephonyCommand } from "../../src/router/perform.ts";
import { createAriEvents } from "../../src/router/ari-events.ts";
import { recover } from "../../src/router/recover.ts";
import { Recovery } from "../../src/router/recovery.ts";
import { aDecision, after, answered, AT, decided, gone, INBOUND, joined, LEG, received } from "../domain/call/builders.ts";
import { ExpectedError } from "../../src/domain/errors.ts";
import { AriError } from "../../src/domain/ports.ts";
import { silent as logger } from "../harness/logger.ts";
import { eventually } from "../harness/process.ts";
import { testCalls } from "./builders.ts";

/** The moment between Asterisk's list and the adoption is too short to be hit on purpose in a real one. */

const clock = { now: () => new Date("2026-06-01T12:00:10Z") };
const caller: ListedChannel = { id: "1700000000.1", state: "Up", callerNumber: "+13125550123", context: "c", extension: "12025550101", createdAt: new Date("2026-06-01T12:00:00Z"), protocolId: "one@carrier" };
const call = callId(caller);
const callee: ListedChannel = { ...caller, id: legId(call, 0), protocolId: "two@desk" };

/** A new router beside an Asterisk in which the two talk, until whoever is not in `stay` leaves just after the first list. */
async function recoveredWith(stay: readonly ListedChannel[]) {
  const asked: TelephonyCommand[] = [];
  const nothing = () => undefined;
  const perform = (command: TelephonyCommand) => Promise.resolve(void asked.push(command));
  const calls = testCalls({ clock, perform });
  const lists = [[caller, callee], stay];
  const telephony = {
    ownChannels: () => Promise.resolve([caller.id, callee.id]),
    channels: () => Promise.resolve(lists.shift() ?? stay),
    bridges: () => Promise.resolve([{ id: bridgeId(call), channels: [caller.id, callee.id] }]),
  } as Partial<Telephony> as Telephony;
  const found = await recover({ pod: "pod-0", calls, telephony, records: { keep: nothing }, clock, logger, up: new Set() }, clock.now(), false);
  expect([...found.adopted.keys()]).toEqual([call]);
  return { asked, calls };
}

test.each([
  ["caller", callee],
  ["callee", caller],
])("when the %s leaves before the call is adopted, the other one is hung up", async (_, other) => {
  const { asked, calls } = await recoveredWith([other]);
  expect(asked.filter(({ type }) => type === "HangUp")).toMatchObject([{ channel: other.id }]);
  calls.dispatchTo(other.id, { type: "ChannelGone", channel: other.id, cause: 16, sipStatus: null });
  expect(calls.live).toBe(0);
});

test.each([
  ["is answered", "Answer"],
  ["is brought together with the callee", "AddToBridge"],
])("of a caller whom an earlier router had answered, and who leaves before he %s by the new one, nobody says that he gave up", async (_, fails) => {
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const calls = testCalls({
    clock,
    // His end is told before Asterisk's answer.
    perform: async ({ type }) => {
      if (type !== "AddToBridge" && type !== "Answer") return;
      await turn();
      if (type === fails || type === "AddToBridge") throw new AriError(404, "POST", "no such channel");
    },
  });
  const telephony = {
    ownChannels: () => Promise.resolve([caller.id, callee.id]),
    channels: () => Promise.resolve([caller, callee]),
    bridges: () => Promise.resolve([{ id: bridgeId(call), channels: [caller.id] }]),
    variable: (_channel: string, name: string) => Promise.resolve(name === "DIALPLANE_POOL" ? "default/sales" : "allowed"),
  } as Partial<Telephony> as Telephony;
  const recovering = recover({ pod: "pod-0", calls, telephony, records: { keep: () => undefined }, clock, logger, up: new Set() }, clock.now(), false);
  while (calls.live === 0) await Promise.resolve();
  calls.dispatchTo(caller.id, gone(caller.id));
  await recovering;
  for (let times = 0; times < 4; times += 1) await turn();
  calls.dispatchTo(callee.id, gone(callee.id));
  expect(calls.takeUnrecorded(call)?.end).toBe("failed");
});

test("who talks on is left alone", async () => {
  const { asked, calls } = await recoveredWith([caller, callee]);
  expect([asked, calls.live]).toEqual([[], 1]);
});

test("who talks to the default destination is left alone, even where the application is told of the channel", async () => {
  const served = { ...caller, context: fallbackContext("default/pool") };
  const nothing = () => undefined;
  const calls = testCalls({ clock });
  const asked: string[] = [];
  const telephony = {
    ownChannels: () => Promise.resolve([served.id]),
    channels: () => Promise.resolve([served]),
    bridges: () => Promise.resolve([]),
    hangUp: (id: string) => Promise.resolve(void asked.push(id)),
    continueAt: (id: string) => Promise.resolve(void asked.push(id)),
  } as Partial<Telephony> as Telephony;
  await recover({ pod: "pod-0", calls, telephony, records: { keep: nothing }, clock, logger, up: new Set() }, clock.now(), false);
  expect(asked).toEqual([]);
});

test("a call that came after ARI was up again is left alone, although Asterisk's list does not have its leg yet", async () => {
  const asked: TelephonyCommand[] = [];
  const nothing = () => undefined;
  const perform = (command: TelephonyCommand) => Promise.resolve(void asked.push(command));
  const calls = testCalls({ clock, perform });
  const fresh = after(received(), decided(aDecision([["desk"]]))).call;
  calls.start(fresh, [], logger);
  const telephony = {
    ownChannels: () => Promise.resolve([INBOUND]),
    channels: () => Promise.resolve([{ ...caller, id: INBOUND, state: "Ring" }]),
    bridges: () => Promise.resolve([]),
  } as Partial<Telephony> as Telephony;
  const since = (ms: number) => recover({ pod: "pod-0", calls, telephony, records: { keep: nothing }, clock, logger, up: new Set() }, new Date(AT.getTime() + ms), false);
  await since(-100);
  expect([asked, calls.find(fresh.id)?.kind]).toEqual([[], "dialing"]);
  // One that was dialled before ARI went away is missing.
  await since(100);
  expect(asked).toContainEqual(expect.objectContaining({ type: "Continue", channel: INBOUND }));
});

/** Beside a caller who waits in the application, of no call that is known. */
async function foundWaiting(connectedAt: Date) {
  const done: string[] = [];
  const calls = testCalls({ clock });
  const telephony = {
    ownChannels: () => Promise.resolve([caller.id]),
    channels: () => Promise.resolve([{ ...caller, state: "Ring" }]),
    bridges: () => Promise.resolve([]),
    variable: (_: string, name: string) => Promise.resolve(name === "DIALPLANE_POOL" ? "default/sales" : "allowed"),
    hangUp: (id: string) => Promise.resolve(void done.push(`hang up ${id}`)),
    continueAt: (id: string) => Promise.resolve(void done.push(`continue ${id}`)),
  } as Partial<Telephony> as Telephony;
  const keep = ({ id, did, end }: CallRecord) => void done.push(`keep ${id} ${did} ${end}`);
  await recover({ pod: "pod-0", calls, telephony, records: { keep }, clock, logger, up: new Set() }, connectedAt, false);
  return done;
}

test("a caller who came after ARI was up is left alone: the event of it is on its way", async () => {
  expect(await foundWaiting(new Date(AT.getTime() - 1))).toEqual([]);
});

test("the record of a caller who came before is on the disk when he is given to the default destination", async () => {
  expect(await foundWaiting(new Date(AT.getTime() + 1))).toEqual([`keep ${call} +12025550101 null`, `continue ${caller.id}`]);
});

test("a call of ours that ends while the lists are on their way is not taken for one of an earlier router, and its record stands", async () => {
  const saved: CallRecord[] = [];
  const asked: string[] = [];
  const calls = testCalls({ clock, save: (record) => void saved.push(record) });
  const talking = after(received(), decided(aDecision([["desk"]])), answered(0), joined(0)).call;
  calls.start(talking, [], logger);
  const list = [INBOUND, LEG(0)].map((one) => ({ ...caller, id: one }));
  const telephony = {
    ownChannels: () => Promise.resolve([INBOUND, LEG(0)]),
    channels: () => {
      for (const one of [INBOUND, LEG(0)]) calls.dispatchTo(one, gone(one));
      return Promise.resolve(list);
    },
    bridges: () => Promise.resolve([{ id: talking.bridge, channels: [INBOUND, LEG(0)] }]),
    destroyBridge: (one: string) => Promise.resolve(void asked.push(one)),
  } as Partial<Telephony> as Telephony;
  const found = await recover({ pod: "pod-0", calls, telephony, records: { keep: () => undefined }, clock, logger, up: new Set() }, clock.now(), false);
  expect([[...found.adopted], calls.live, asked, saved.at(-1)?.end]).toEqual([[], 0, [], "completed"]);
});

/** A caller for whom a leg of an earlier router rings, and a new router that recovers; `when` says what happens at which request. */
function ringing(when: Partial<Record<"listed" | "asked" | "hangUp leg", () => void>> = {}, over: Partial<Telephony> = {}, early = false) {
  const leg: ListedChannel = { ...callee, state: "Ringing" };
  const waiting: ListedChannel = { ...caller, state: "Ring" };
  const [channels, done] = [new Map([waiting, leg].map((one) => [one.id, one])), [] as string[]];
  const calls = testCalls({ clock, perform: ({ type }) => Promise.resolve(void done.push(type)) });
  const nameOf = (id: string) => (id === leg.id ? "leg" : "caller");
  const note = (what: string) => {
    done.push(what);
    return Promise.resolve();
  };
  const telephony = {
    ownChannels: () => Promise.resolve([...channels.keys()]),
    channels: async () => {
      const list = [...channels.values()];
      await Promise.resolve();
      when.listed?.();
      return list;
    },
    bridges: () => Promise.resolve(early ? [{ id: bridgeId(call), channels: [waiting.id, leg.id] }] : []),
    variable: (_: string, name: string) => {
      if (name === "DIALPLANE_POOL") when.asked?.();
      return Promise.resolve(name === "DIALPLANE_POOL" ? "default/sales" : "allowed");
    },
    hangUp: (id: string) => {
      channels.delete(id);
      when[`hangUp ${nameOf(id)}` as "hangUp leg"]?.();
      return note(`hang up ${nameOf(id)}`);
    },
    continueAt: () => note("continue"),
    destroyBridge: () => note("destroy"),
    ...over,
  } as Partial<Telephony> as Telephony;
  const settled: string[][] = [];
  const settle = ({ adopted, handedBack }: { adopted: ReadonlyMap<string, unknown>; handedBack: ReadonlyMap<string, unknown> }) => Promise.resolve(void settled.push([...adopted.keys(), ...handedBack.keys()]));
  const recovery = new Recovery({ pod: "pod-0", calls, telephony, records: { keep: () => undefined }, clock, logger, settle, signal: new AbortController().signal });
  const nothing = () => undefined;
  const tell = createAriEvents({ calls, telephony, logger, accepting: () => true, claiming: nothing, offered: nothing, notOurs: nothing, takeCall: nothing, cameUp: (one) => recovery.cameUp(one) });
  const up = (one: ListedChannel) => {
    channels.set(one.id, { ...one, state: "Up" });
    return { ...one, state: "Up" };
  };
  return {
    calls,
    done,
    settled,
    recovery,
    answers: () => tell({ type: "StasisStart", channel: up(leg), args: ["leg"] }),
    answersEarly: () => {
      for (const one of [waiting, leg]) tell({ type: "ChannelStateChange", channel: up(one) });
    },
    lateAnswer: () => tell({ type: "StasisStart", channel: { ...leg, id: legId(call, 7), state: "Up" }, args: ["leg"] }),
    recovered: async () => recovery.finish(await recover(recovery.deps, clock.now(), false), clock.now(), () => true),
  };
}

describe("a leg that answers while recovery is at work", () => {
  const moments = ["listed", "asked", "hangUp leg"] as const;

  test.each(moments)("is connected to its caller (%s)", async (moment) => {
    let answered = false;
    const answer = () => {
      if (!answered) world.answers();
      answered = true;
    };
    const world = ringing({ [moment]: answer });
    await world.recovered();
    expect(world.calls.all().map(({ id, kind }) => [id, kind])).toEqual([[call, "bridged"]]);
    expect(world.done).not.toContain("continue");
    expect(world.settled).toEqual([[call]]);
  });

  test("and talks to its caller already is left alone", async () => {
    const when: Parameters<typeof ringing>[0] = {};
    const world = ringing(when, {}, true);
    when.listed = () => {
      delete when.listed;
      world.answersEarly();
    };
    await world.recovered();
    expect([world.calls.all().map(({ kind }) => kind), world.done]).toEqual([["bridged"], []]);
  });

  test("in vain, because it was hung up in the same moment, has its caller given to the default destination, and the bridge goes with that", async () => {
    const world = ringing({}, {}, true);
    await world.recovered();
    expect(world.done).toEqual(["hang up leg", "continue", "destroy"]);
  });

  test("and talks to its caller, whose turn it was, is left alone, as their bridge is", async () => {
    const when: Parameters<typeof ringing>[0] = {};
    const world = ringing(when, {}, true);
    when.asked = () => {
      delete when.asked;
      world.answersEarly();
    };
    await world.recovered();
    expect([world.calls.all().map(({ kind }) => kind), world.done]).toEqual([["bridged"], ["hang up leg"]]);
  });

  test("and is nobody's is hung up when that is known, and afterwards at once", async () => {
    const world = ringing();
    world.lateAnswer();
    expect(world.done).toEqual([]);
    await world.recovered();
    expect(world.done).toEqual(["hang up leg", "continue", "hang up caller"]);
    world.lateAnswer();
    expect(world.done).toHaveLength(4);
  });
});

describe("whom Asterisk can't be asked about", () => {
  const unavailable = () => Promise.reject(new ExpectedError("Unavailable", "ARI did not answer within 5000 ms"));
  const gone = () => Promise.reject(new AriError(404, "GET variable", "no such channel"));

  test.each([
    ["a caller for whom it rings", false, ["hang up leg", "continue"], 0],
    ["a caller whose callee has answered", true, [], 1],
  ])("in time is looked at again: %s", async (_, answered, expected, live) => {
    let asked = 0;
    const variable = (_channel: string, name: string) => (name !== "DIALPLANE_POOL" ? Promise.resolve("allowed") : (asked += 1) === 1 ? unavailable() : Promise.resolve("default/sales"));
    const world = ringing({}, { variable });
    if (answered) world.answers();
    await world.recovered();
    expect([world.done.filter((one) => /[a-z]/.test(one[0]!)).slice(0, 2), world.calls.live]).toEqual([expected, live]);
  });

  test("because he has left is not waited for: the callee who answered is hung up", async () => {
    const world = ringing({}, { variable: gone });
    world.answers();
    await world.recovered();
    expect([world.done, world.calls.live]).toEqual([["hang up leg", "hang up leg"], 0]);
  });

  test("for seconds holds up neither the records of the others nor the end of legs that answer too late", async () => {
    let answers = false;
    const world = ringing({}, { variable: () => (answers ? Promise.resolve("default/sales") : unavailable()) });
    const over = world.recovered();
    await eventually("the records of the others are settled", () => world.settled.length === 1);
    world.lateAnswer();
    expect(world.done.at(-1)).toBe("hang up caller");
    answers = true;
    await over;
    expect([world.done.at(-1), world.settled.at(-1)]).toEqual(["continue", [call]]);
  });
});
