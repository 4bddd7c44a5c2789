import { describe, expect, test } from "vitest";

import type { SipTrunkSpec } from "../../../src/domain/api.generated.ts";
import { outgoingIdentity } from "../../../src/domain/call/caller-id.ts";
import type { RouteDecision } from "../../../src/domain/types.ts";
import { aTrunk, e164 } from "../builders.ts";

const did = e164("+12025550101");
const caller = e164("+13125550123");
const fixed = e164("+12025550177");

function identity(trunk: Partial<SipTrunkSpec["callerId"]>, wanted: RouteDecision["callerId"], from: typeof caller | null = caller) {
  const callerId = { from: "Tracking", pAssertedIdentity: "None", diversion: "None", ...trunk } as const;
  return outgoingIdentity(aTrunk({ callerId, host: "sip.carrier.example" }).spec, wanted, { did, caller: from });
}

describe("From", () => {
  test.each([
    ["Tracking", { type: "Caller" }, did],
    ["Tracking", { type: "Tracking" }, did],
    ["Tracking", { type: "Fixed", number: fixed }, fixed],
    ["Caller", { type: "Caller" }, caller],
    ["Caller", { type: "Tracking" }, did],
    ["Caller", { type: "Fixed", number: fixed }, fixed],
  ] as const)("trunk %s, rule %o", (from, wanted, expected) => {
    expect(identity({ from }, wanted).from).toBe(expected);
  });

  test("a trunk's fixed number overrides every rule", () => {
    expect(identity({ from: "Fixed", fixed: { number: "+12025550188" } }, { type: "Caller" }).from).toBe("+12025550188");
  });

  test("is the called number where a trunk's fixed number is none", () => {
    expect(identity({ from: "Fixed", fixed: { number: "anonymous" } }, { type: "Caller" }).from).toBe(did);
  });

  test("is the called number for a caller who withheld his", () => {
    expect(identity({ from: "Caller" }, { type: "Caller" }, null).from).toBe(did);
  });
});

describe("headers", () => {
  test("are none unless the trunk asks for them", () => {
    expect(identity({}, { type: "Tracking" }).variables).toEqual({});
  });

  test("are P-Asserted-Identity and Diversion where it does", () => {
    expect(identity({ pAssertedIdentity: "Caller", diversion: "Tracking" }, { type: "Tracking" }).variables).toEqual({
      "PJSIP_HEADER(add,P-Asserted-Identity)": "<sip:+13125550123@sip.carrier.example>",
      "PJSIP_HEADER(add,Diversion)": "<sip:+12025550101@sip.carrier.example>;reason=unconditional;counter=1",
    });
  });

  test("assert the called number where the trunk asks for that, also of a caller who withheld his", () => {
    const asserted = { "PJSIP_HEADER(add,P-Asserted-Identity)": "<sip:+12025550101@sip.carrier.example>" };
    expect(identity({ pAssertedIdentity: "Tracking" }, { type: "Tracking" }).variables).toEqual(asserted);
    expect(identity({ pAssertedIdentity: "Tracking" }, { type: "Tracking" }, null).variables).toEqual(asserted);
  });

  test("assert a withheld number to nobody", () => {
    expect(identity({ pAssertedIdentity: "Caller" }, { type: "Tracking" }, null).variables).toEqual({});
  });
});
