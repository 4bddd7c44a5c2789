import { describe, expect, test } from "vitest";

import { facts } from "../builders.ts";
import { aDecision, after, answered, brief, deadline, decided, decidedAhead, gone, type Happening, INBOUND, joined, LEG, received } from "./builders.ts";

const ATTRIBUTED: Happening = { type: "Attributed", context: facts().context };
const dialling = () => after(received(), decidedAhead(aDecision([["a"]])));

describe("a call that was decided before it was known who calls", () => {
  test("is dialled at once, and saved when it is known", () => {
    const { call, commands } = dialling();
    expect(brief(commands)).toEqual(["Originate 0 a", "StartTimer ring 25", "StartTimer silence 1.5", "KeepRecord received"]);
    const known = after(call, ATTRIBUTED);
    expect(known.commands).toMatchObject([{ type: "SaveRecord", record: { attribution: "exclusive", mediaElement: "hero", legs: [{ destination: "sip:a@pbx.example" }] } }]);
  });

  test("is connected whatever the database does; what is known by then is kept on the disk", () => {
    const { call, commands } = after(dialling().call, answered(0), joined(0));
    expect(call.kind).toBe("bridged");
    expect(brief(commands)).toEqual(["KeepRecord bridged"]);
    expect(brief(after(call, ATTRIBUTED).commands)).toEqual(["SaveRecord bridged"]);
  });

  test("that ends before is over when it is known: its one final record says who called", () => {
    const { call, commands } = after(dialling().call, gone(INBOUND), gone(LEG(0)));
    expect([call.kind, brief(commands)]).toEqual(["ending", []]);
    const known = after(call, ATTRIBUTED);
    expect(known.call.kind).toBe("ended");
    expect(known.commands).toMatchObject([{ type: "SaveRecord", record: { end: "abandoned", attribution: "exclusive" } }]);
  });

  test("that ends and is never known is closed all the same", () => {
    const { call, commands } = after(dialling().call, gone(INBOUND), gone(LEG(0)), deadline("hangup"));
    expect(call.kind).toBe("ended");
    expect(commands).toMatchObject([{ type: "SaveRecord", record: { end: "abandoned", attribution: "unavailable" } }]);
  });

  test("is refused at once", () => {
    const { call, commands } = after(received(), decidedAhead(aDecision([], { outcome: "refuse" })), gone(INBOUND));
    expect([call.kind, brief(commands)]).toEqual(["ending", []]);
    expect(after(call, ATTRIBUTED).commands).toMatchObject([{ type: "SaveRecord", record: { end: "refused", attribution: "exclusive" } }]);
  });
});

test("what is known of who calls is not overwritten", () => {
  const { call } = after(received(), decided(aDecision([["a"]])));
  const other: Happening = { type: "Attributed", context: facts({ context: { attribution: "none" } }).context };
  expect(after(call, other)).toEqual({ call, commands: [] });
});
