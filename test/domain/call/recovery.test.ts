import { describe, expect, test } from "vitest";

import { bridgeId, callId, callOfBridge, callOfLeg, legId } from "../../../src/domain/call/ids.ts";
import { type HeldBridge, type HeldChannel, planRecovery } from "../../../src/domain/call/recovery.ts";
import { ID } from "./builders.ts";

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
      [{ type: "connect", call: ID, bridge: BRIDGE, inbound: IN, leg: FIRST }],
    ],
    [
      "of two who answered the first is connected, the other hung up",
      { [IN]: true, [FIRST]: true, [SECOND]: true },
      [],
      [{ type: "connect", call: ID, bridge: BRIDGE, inbound: IN, leg: FIRST }, { type: "hangUp", channel: SECOND }],
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

describe("ids", () => {
  test("of calls are the same for every router that sees the channel, and of the form that all else expects", () => {
    const at = new Date("2026-06-01T12:00:00.123Z");
    const channel = { id: IN, createdAt: at, protocolId: "a84b4c76e66710@carrier.example" };
    const id = callId(channel);
    expect(callId({ ...channel, createdAt: new Date(at) })).toBe(id);
    const others = [{ id: "1700000000.2" }, { createdAt: new Date(0) }, { createdAt: null }, { protocolId: "" }].map((other) => callId({ ...channel, ...other }));
    expect(new Set([id, ...others]).size).toBe(5);
    expect(callOfBridge(bridgeId(id))).toBe(id);
  });

  test("of bridges and legs lead back to the call", () => {
    expect([callOfBridge(BRIDGE), callOfLeg(FIRST), callOfLeg(legId(ID, 12))]).toEqual([ID, ID, ID]);
  });

  test.each(["", "dialplane-", `dialplane-verify-${ID}`, "1700000000.1", `x${BRIDGE}`])("%j is not ours", (id) => {
    expect([callOfBridge(id), callOfLeg(id)]).toEqual([undefined, undefined]);
  });
});
