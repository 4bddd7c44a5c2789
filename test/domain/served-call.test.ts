import { describe, expect, test } from "vitest";

import { callId } from "../../src/domain/call/ids.ts";
import { parseServedCall } from "../../src/domain/served-call.ts";

const FIELDS = {
  version: "1",
  channel: "1795911968.2",
  protocolId: Buffer.from("1-30726@198.51.100.7").toString("base64"),
  pool: "acme/sales",
  destination: "+12025550199",
  trunk: "acme/carrier",
  did: "+12025550110",
  presentation: "allowed_not_screened",
  caller: "+13125550123",
  began: "1795911969047",
  ended: "1795911970259",
  status: "ANSWER",
  talked: "1207",
  cause: "16",
};
const parse = (other: Partial<typeof FIELDS> = {}) => parseServedCall(Object.values({ ...FIELDS, ...other }).join("|"), "pod-0");

describe("a call that the dialplan served", () => {
  test("is a record with its times, its leg and no claim about who called", () => {
    const id = callId({ id: FIELDS.channel, protocolId: "1-30726@198.51.100.7" });
    const [began, answered, ended] = [1795911969047, 1795911969052, 1795911970259].map((at) => new Date(at));
    expect(parse()).toMatchObject({
      id, pod: "pod-0", did: "+12025550110", pool: "acme/sales", caller: "+13125550123", receivedAt: began, answeredAt: answered, bridgedAt: answered, endedAt: ended,
      end: "completed", hangupCause: 16, attribution: "unavailable", prospect: null, rule: null, answeredBy: "+12025550199",
      legs: [{ channel: `${id}.default`, destination: "+12025550199", trunk: "acme/carrier", startedAt: began, answeredAt: answered, endedAt: ended, result: "answered", hangupCause: 16 }],
      why: [{ reason: "ServedByDialplan" }],
    });
  });

  test.each([
    ["BUSY", "busy", "busy"],
    ["NOANSWER", "no-answer", "no-answer"],
    ["CANCEL", "abandoned", "cancelled"],
    ["CONGESTION", "congestion", "congestion"],
    ["", "congestion", "not-tried"],
  ])("with status %j ended as %s and was answered by nobody", (status, end, result) => {
    expect(parse({ status, talked: "" })).toMatchObject({ end, answeredAt: null, bridgedAt: null, answeredBy: null, legs: [{ result, answeredAt: null }] });
  });

  test.each([
    ["1", "declined"],
    ["21", "declined"],
    ["38", "congestion"],
    ["18", "unreachable"],
    ["", "unreachable"],
  ])("that Dial() put down as unavailable ended as the cause says: %j is %s", (cause, result) => {
    expect(parse({ status: "CHANUNAVAIL", talked: "", cause })).toMatchObject({ end: result, answeredAt: null, answeredBy: null, legs: [{ result }] });
  });

  test("that the pool refuses was to ring nobody", () => {
    const refused = { end: "refused", hangupCause: 21, answeredAt: null, answeredBy: null, legs: [], why: [{ rule: null, matched: true, reason: "CallerBlocked" }] };
    expect(parse({ status: "BLOCKED", talked: "", cause: "21" })).toMatchObject(refused);
  });

  test.each([
    ["withheld", { presentation: "prohib_passed_screen" }],
    ["of unknown presentation", { presentation: "" }],
    ["no number", { caller: "" }],
    ["not in E.164 form", { caller: "123" }],
  ])("by a caller who is %s names nobody", (_, other) => {
    expect(parse(other)).toMatchObject({ caller: null });
  });

  test.each([
    ["another version", { version: "2" }],
    ["no channel", { channel: "" }],
    ["a pool that is none", { pool: "Acme sales" }],
    ["a DID that is none", { did: "+0" }],
    ["no end", { ended: "" }],
    ["text after the end", { cause: "16|x" }],
    ["a cause that is none", { cause: "1e9" }],
  ])("is not read from a line with %s", (_, other) => {
    expect(parse(other)).toBeUndefined();
  });

  test("is not read from any part of a line", () => {
    const line = Object.values(FIELDS).join("|");
    // Up to the cause, which may be empty.
    for (let length = 0; length < line.length - FIELDS.cause.length; length += 1) expect(parseServedCall(line.slice(0, length), "pod-0")).toBeUndefined();
  });
});
