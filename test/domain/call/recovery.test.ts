import { describe, expect, test } from "vitest";

import { bridgeId, callId, callOfBridge, callOfLeg, legId } from "../../../src/domain/call/ids.ts";
import { type HeldBridge, type HeldChannel, planRecovery } from "../../../src/domain/call/recovery.ts";
import { recordOf } from "../../../src/domain/call/record.ts";
import { closeUnobserved, POD_LOST, recognise } from "../../../src/domain/call/recognise.ts";
import { adoptAnswered, adoptCall, firstRecord } from "../../../src/domain/call/start.ts";
import type { Call } from "../../../src/domain/call/states.ts";
import { after, AT, brief, commandFailed, gone, type Happening, ID, INBOUND, joined, LEG, received, STATES } from "./builders.ts";

const BRIDGE = bridgeId(ID);
const [FIRST, SECOND] = [legId(ID, 0), legId(ID, 1)];
const IN = "1700000000.1";

describe("what an earlier router left behind", () => {
  test.each<readonly [string, Record<string, boolean>, readonly HeldBridge[], readonly object[]]>([
    ["nothing: nothing to do", {}, [], []],
    ["two who talk are adopted", { [IN]: true, [FIRST]: true }, [{ id: BRIDGE, channels: [IN, FIRST] }], [{ type: "adopt", call: ID, bridge: BRIDGE, inbound: IN, leg: FIRST }]],
    [
      "a leg that still rang beside them is hung up",
      { [IN]: true, [FIRST]: true, [SECOND]: false },
      [{ id: BRIDGE, channels: [IN, FIRST] }],
      [{ type: "adopt", call: ID, bridge: BRIDGE, inbound: IN, leg: FIRST }, { type: "hangUp", channel: SECOND }],
    ],
    [
      "a caller for whom it rang goes to the default destination, the ringing ends",
      { [IN]: false, [FIRST]: false },
      [{ id: BRIDGE, channels: [IN] }],
      [{ type: "handBack", channel: IN, call: ID }, { type: "hangUp", channel: FIRST }, { type: "destroyBridge", bridge: BRIDGE }],
    ],
    ["a caller whom nobody dialled for goes to the default destination", { [IN]: false }, [], [{ type: "handBack", channel: IN, call: ID }]],
    ["an answered caller who is alone is hung up", { [IN]: true }, [{ id: BRIDGE, channels: [IN] }], [{ type: "hangUp", channel: IN }, { type: "destroyBridge", bridge: BRIDGE }]],
    ["a callee who is alone is hung up", { [FIRST]: true }, [{ id: BRIDGE, channels: [FIRST] }], [{ type: "hangUp", channel: FIRST }, { type: "destroyBridge", bridge: BRIDGE }]],
    [
      "somebody who answered and the caller who still waits are put together, in the bridge that is there",
      { [IN]: false, [FIRST]: true },
      [{ id: BRIDGE, channels: [IN] }],
      [{ type: "connect", call: ID, bridge: BRIDGE, inbound: IN, leg: FIRST, answered: false }],
    ],
    [
      "of two who answered the first is connected, the other hung up",
      { [IN]: true, [FIRST]: true, [SECOND]: true },
      [],
      [{ type: "connect", call: ID, bridge: BRIDGE, inbound: IN, leg: FIRST, answered: true }, { type: "hangUp", channel: SECOND }],
    ],
    ["a leg without any bridge is hung up", { [FIRST]: false }, [], [{ type: "hangUp", channel: FIRST }]],
    ["an empty bridge is taken away", {}, [{ id: BRIDGE, channels: [] }], [{ type: "destroyBridge", bridge: BRIDGE }]],
  ])("%s", (_, channels, bridges, actions) => {
    const held: HeldChannel[] = Object.entries(channels).map(([id, up]) => ({ id, up, call: id === IN ? ID : null }));
    expect(planRecovery(held, bridges)).toEqual(actions);
  });

  test("a leg of another call in the bridge is nobody to talk to", () => {
    const other = legId("00000000-0000-4000-8000-000000000000", 0);
    const plan = planRecovery([{ id: IN, up: true, call: ID }, { id: other, up: true, call: null }], [{ id: BRIDGE, channels: [IN, other] }]);
    expect(plan.map(({ type }) => type)).toEqual(["hangUp", "hangUp", "destroyBridge"]);
  });
});

describe("a call that is connected after a restart", () => {
  const held = { bridge: BRIDGE, inbound: INBOUND, leg: LEG(0) };
  const { origin } = received();
  const resynced: Happening = { type: "Resynced", channels: new Map([[INBOUND, { up: false }], [LEG(0), { up: true }]]), inBridge: new Set([INBOUND]) };
  const adopted = (home: typeof origin) => after(adoptAnswered(ID, held, home, AT), resynced);
  const theRecord = (call: Call) => recognise(call, dialling(), AT)[1].flatMap((command) => (command.type === "SaveRecord" ? [command.record] : []))[0];
  const dialling = () => {
    const before = STATES.dialing();
    if (before.origin === null) throw new Error("a call of our own has an origin");
    return recordOf(before, before.origin);
  };

  test("answers a caller who waits when the leg has joined, and not before", () => {
    const { call, commands } = adopted(origin);
    expect(brief(commands)).toEqual(["StopWhisper 0", "AddToBridge 0", "StartTimer proof 3"]);
    expect(brief(after(call, joined(0)).commands)).toEqual(["Answer in", "AddToBridge 0"]);
    expect(after(call, joined(0), joined(0)).call.kind).toBe("bridged");
  });

  test("does not wait for that when the caller was answered already: nobody else is rung then", () => {
    const { call, commands } = adopted(null);
    expect(brief(commands)).toEqual(["StopWhisper 0", "Answer in", "AddToBridge 0"]);
    expect(call.answeredAt).toEqual(AT);
    expect(brief(after(call, commandFailed("AddToBridge", 422, LEG(0))).commands)).toEqual(["HangUp in 41", "HangUp 0 16", "StartTimer hangup 5"]);
  });

  test.each<readonly [string, (call: Call) => Call]>([
    ["found before it is over", (call) => after(call, gone(LEG(0)), { type: "Recognised", record: dialling() }, gone(INBOUND)).call],
    ["found when it is over", (call) => after(call, gone(LEG(0)), gone(INBOUND)).call],
    ["of an answer that was asked for and not given", (call) => after(call, gone(LEG(0)), { type: "Recognised", record: { ...dialling(), answeredAt: AT } }, gone(INBOUND)).call],
  ])("gives the caller back when the leg was about to be hung up; the record, %s, says so", (_, end) => {
    const { call } = adopted(origin);
    expect(brief(after(call, commandFailed("AddToBridge", 422, LEG(0)), gone(LEG(0))).commands)).toEqual(["StartTimer hangup 5", "Continue in"]);
    const ended = end(call);
    const record = ended.origin === null ? theRecord(ended) : recordOf(ended, ended.origin);
    expect(record).toMatchObject({ end: "failed", answeredAt: null, answeredBy: null, bridgedAt: null, rule: "default/rule", legs: [{ result: "cancelled" }, { result: "answered" }] });
    expect(record?.why.map(({ reason }) => reason)).toEqual(["RouterRestarted", "AnsweredUnseen"]);
  });

  test("has a record of its own when none is found: it claims no attribution, and nobody's name", () => {
    if (origin === null) throw new Error("a call of our own has an origin");
    const { call, commands } = after(adopted(origin).call, joined(0), joined(0), { type: "Recognised", record: firstRecord(ID, origin) }, gone(INBOUND), gone(LEG(0)));
    expect(commands).toMatchObject([{ type: "DestroyBridge", bridge: BRIDGE }, { type: "SaveRecord", record: { id: ID, bridge: BRIDGE } }]);
    expect(call.origin === null ? null : recordOf(call, call.origin)).toMatchObject({ end: "completed", answeredBy: null, attribution: "unavailable", pool: "default/sales", legs: [{ result: "answered" }] });
  });
});

test("a record that was closed because its pod was silent is open again when its call is found: it keeps who called, and the end that is seen is the end", () => {
  const before = STATES.bridged();
  if (before.origin === null) throw new Error("a call of our own has an origin");
  const lost = closeUnobserved(recordOf(before, before.origin), AT, POD_LOST);
  expect(lost).toMatchObject({ end: "completed", endedAt: AT, legs: [{ result: "answered", endedAt: AT }, { result: "cancelled", endedAt: AT }] });
  expect(lost.why).toEqual([...recordOf(before, before.origin).why, POD_LOST]);
  const adopted = adoptCall(ID, { bridge: BRIDGE, inbound: INBOUND, leg: LEG(0) }, new Date(AT.getTime() + 90_000));
  const { call } = after(adopted, { type: "Recognised", record: lost }, gone(INBOUND), gone(LEG(0)));
  if (call.origin === null) throw new Error("it was recognised");
  const record = recordOf(call, call.origin);
  const { pod, did, pool, caller, receivedAt, attribution, prospect, mediaElement, attributes, answeredBy } = lost;
  expect(record).toMatchObject({ pod, did, pool, caller, receivedAt, attribution, prospect, mediaElement, attributes, answeredBy, end: "completed", rule: "default/rule", answeredAt: AT, bridgedAt: AT });
  expect(record.why.map(({ reason }) => reason)).toEqual(["RouterRestarted"]);
});

describe("ids", () => {
  test("of calls are the same for every router that sees the channel, and of the form that all else expects", () => {
    const channel = { id: IN, protocolId: "a84b4c76e66710@carrier.example" };
    const id = callId(channel);
    expect(callId({ ...channel })).toBe(id);
    const others = [{ id: "1700000000.2" }, { protocolId: "" }].map((other) => callId({ ...channel, ...other }));
    expect(new Set([id, ...others]).size).toBe(3);
    expect(callOfBridge(bridgeId(id))).toBe(id);
  });

  test("of bridges and legs lead back to the call", () => {
    expect([callOfBridge(BRIDGE), callOfLeg(FIRST), callOfLeg(legId(ID, 12))]).toEqual([ID, ID, ID]);
  });

  test.each(["", "dialplane-", `dialplane-verify-${ID}`, "1700000000.1", `x${BRIDGE}`])("%j is not ours", (id) => {
    expect([callOfBridge(id), callOfLeg(id)]).toEqual([undefined, undefined]);
  });
});
