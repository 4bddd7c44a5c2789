import { expect, test } from "vitest";

import type { ListedChannel } from "../../src/adapters/ari/events.ts";
import type { Telephony } from "../../src/adapters/ari/telephony.ts";
import { fallbackContext } from "../../src/domain/asterisk-names.ts";
import { bridgeId, callId, legId } from "../../src/domain/call/ids.ts";
import type { CallRecord } from "../../src/domain/types.ts";
import type { TelephonyCommand } from "../../src/router/perform.ts";
import { recover } from "../../src/router/recover.ts";
import { aDecision, after, answered, AT, decided, gone, INBOUND, joined, LEG, received } from "../domain/call/builders.ts";
import { silent as logger } from "../harness/logger.ts";
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
  const found = await recover({ pod: "pod-0", calls, telephony, records: { keep: nothing }, clock, logger }, clock.now(), false);
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
  await recover({ pod: "pod-0", calls, telephony, records: { keep: nothing }, clock, logger }, clock.now(), false);
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
  const since = (ms: number) => recover({ pod: "pod-0", calls, telephony, records: { keep: nothing }, clock, logger }, new Date(AT.getTime() + ms), false);
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
  await recover({ pod: "pod-0", calls, telephony, records: { keep }, clock, logger }, connectedAt, false);
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
  const found = await recover({ pod: "pod-0", calls, telephony, records: { keep: () => undefined }, clock, logger }, clock.now(), false);
  expect([[...found.adopted], calls.live, asked, saved.at(-1)?.end]).toEqual([[], 0, [], "completed"]);
});
