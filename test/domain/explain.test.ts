import { describe, expect, test } from "vitest";

import { NOTHING_KNOWN } from "../../src/domain/attribution.ts";
import { assumedContext, explainCall, explanationLines, SOMEBODY, type Assumptions } from "../../src/domain/explain.ts";
import { rulesOf } from "../../src/domain/routing-rules.ts";
import { route } from "../../src/domain/routing.ts";
import type { CallContext } from "../../src/domain/types.ts";
import { aDestination, aPool, aRule, aTrunk, facts, tableOf } from "./builders.ts";

const pool = aPool({ blockedCallers: ["+1900"] });
const rules = [
  aRule({ priority: 30, match: { callers: ["+49"] } }, { key: "default/berlin" }),
  aRule({ priority: 20, destinations: [aDestination({ name: "desk" }), aDestination({ name: "pbx", sipUri: "sip:desk@pbx.example.com", trunkRef: { name: "pbx" } })] }, { key: "default/sales" }),
  aRule({ priority: 10, match: { mediaElements: ["footer"] } }, { key: "default/footer" }),
  aRule({}, { key: "default/rest" }),
];
const table = {
  ...tableOf({ pools: [pool], rules }),
  trunks: new Map([["default/carrier", aTrunk({ callerId: { from: "Tracking", pAssertedIdentity: "Caller", diversion: "Tracking" } })]]),
};

describe("an explanation", () => {
  test("decides as a live call does, and goes on to the rules that a live call does not ask", () => {
    const { decision, notAsked } = explainCall(table, pool, facts());
    expect(decision).toEqual(route(facts(), pool, rulesOf(table, pool.key)));
    expect(decision.why.map(({ rule, reason }) => [rule, reason])).toEqual([["default/berlin", "CallerPrefixDiffers"], ["default/sales", "Matched"]]);
    expect(notAsked).toEqual([
      {
        rule: "default/footer",
        matched: false,
        reason: "NotAsked",
        message: "default/sales matched first; alone it would not match: MediaElementDiffers: the number was shown with hero, not with any of footer",
      },
      { rule: "default/rest", matched: false, reason: "NotAsked", message: "default/sales matched first; alone it would match" },
    ]);
  });

  test("lists every rule, however many differ", () => {
    const many = Array.from({ length: 250 }, (_, n) => aRule({ match: { callers: ["+49"] } }, { key: `default/rule-${n}` }));
    const { decision } = explainCall({ ...tableOf({ pools: [pool], rules: many }), trunks: table.trunks }, pool, facts());
    expect(decision.why).toHaveLength(251);
  });

  test("says what each far end is shown, and where the trunk is not to be had", () => {
    const [desk, pbx] = explainCall(table, pool, facts()).groups.flat();
    expect(desk?.identity).toEqual({
      from: "+12025550101",
      variables: {
        "PJSIP_HEADER(add,P-Asserted-Identity)": "<sip:+13125550123@sip.carrier.example>",
        "PJSIP_HEADER(add,Diversion)": "<sip:+12025550101@sip.carrier.example>;reason=unconditional;counter=1",
      },
    });
    expect(pbx?.identity).toBeNull();
  });

  test("of a blocked caller names no rule as asked", () => {
    const explanation = explainCall(table, pool, facts({ caller: "+19005550123" }));
    const { decision, notAsked, groups } = explanation;
    expect([decision.outcome, groups]).toEqual(["refuse", []]);
    expect(notAsked.map(({ message }) => message.split(";")[0])).toEqual(Array.from({ length: 4 }, () => "the caller is refused before any rule"));
    expect(explanationLines(explanation).at(-1)).toBe("=> the call is refused");
    expect(explanationLines(explanation)).toContain("+ pool: CallerBlocked: pool default/sales refuses callers that begin with +1900; this one is +1900*******");
  });

  test("reads line by line", () => {
    expect(explanationLines(explainCall(table, pool, facts({ context: { attributes: { utm_source: "news" } } })))).toEqual([
      "a call from +13125550123 to +12025550101 of pool default/sales at 2026-06-01T12:00:00.000Z",
      "  attribution exclusive, visitor 9b2c0f5e-52a4-4f9b-8c8e-0c1f6c3d7a11, first call",
      '  media elements: hero; attributes: utm_source="news"',
      "- default/berlin: CallerPrefixDiffers: caller +1312******* begins with other digits than +49",
      "+ default/sales: Matched: all conditions hold; Sequential: desk, then pbx",
      "  default/footer: NotAsked: default/sales matched first; alone it would not match: MediaElementDiffers: the number was shown with hero, not with any of footer",
      "  default/rest: NotAsked: default/sales matched first; alone it would match",
      "=> 1. ring desk (+12025550141 through default/carrier, 25 s)",
      "      desk is shown From: +12025550101, P-Asserted-Identity: <sip:+13125550123@sip.carrier.example>, Diversion: <sip:+12025550101@sip.carrier.example>;reason=unconditional;counter=1",
      "=> 2. ring pbx (sip:desk@pbx.example.com through default/pbx, 25 s)",
      "      pbx would be unreachable: trunk default/pbx is not to be had",
      "busy: the caller hears it; no answer: the next destination; the call ends after 14400 s",
    ]);
  });
});

test.each<readonly [string, Partial<CallContext>, readonly string[]]>([
  ["assumed", { prospect: SOMEBODY, repeatCaller: true, mediaElements: ["hero", "footer"], attributes: { a: "1", b: "2" } }, ["  attribution exclusive, visitor assumed, called before", '  media elements: hero, footer; attributes: a="1", b="2"']],
  ["unknown", { ...NOTHING_KNOWN }, ["  attribution none, visitor unknown, first call", "  media elements: none; attributes: none"]],
])("an explanation reads of a visitor who is %s that he is", (_, context, lines) => {
  expect(explanationLines(explainCall(table, pool, facts({ context }))).slice(1, 3)).toEqual(lines);
});

describe("what is assumed of a caller", () => {
  const VISITOR = "3f0c7a52-7b1e-4c0e-9a56-0d1f8e2b6c11";
  const known: CallContext = { ...NOTHING_KNOWN, attribution: "stale", prospect: VISITOR, mediaElements: ["hero"], attributes: { utm_source: "news" } };
  const table: readonly [string, CallContext, Assumptions, Partial<CallContext>][] = [
    ["nothing: what is known stays", known, {}, known],
    ["attributes of somebody unknown make a visitor", NOTHING_KNOWN, { attributes: { gclid: "x" } }, { prospect: SOMEBODY, attribution: "exclusive", attributes: { gclid: "x" } }],
    ["so do media elements", NOTHING_KNOWN, { mediaElements: ["footer"] }, { prospect: SOMEBODY, attribution: "exclusive", mediaElements: ["footer"] }],
    ["attributes of somebody known are added", known, { attributes: { gclid: "x" } }, { prospect: VISITOR, attribution: "stale", attributes: { utm_source: "news", gclid: "x" } }],
    ["another visitor brings nothing of the one known", { ...known, prospect: SOMEBODY }, { visitor: VISITOR }, { prospect: VISITOR, attribution: "exclusive", mediaElements: [], attributes: {} }],
    ["an attribution is taken as it is", known, { attribution: "ambiguous", mediaElements: ["footer"] }, { attribution: "ambiguous", mediaElements: ["footer"] }],
    ["a repeat caller", NOTHING_KNOWN, { repeatCaller: true }, { repeatCaller: true, prospect: null, attribution: "none" }],
  ];
  test.each(table)("%s", (_, before, assumed, expected) => {
    expect(assumedContext(before, assumed)).toMatchObject(expected);
  });

  test("a visitor whom the database knows brings what was shown", () => {
    const shown = { prospect: VISITOR, mediaElements: ["pricing"], attributes: { utm_source: "mail" } };
    expect(assumedContext(NOTHING_KNOWN, { visitor: VISITOR }, shown)).toMatchObject({ attribution: "exclusive", ...shown });
  });

  test("a visitor who is another one by now is that one", () => {
    const shown = { prospect: VISITOR, mediaElements: [], attributes: {} };
    expect(assumedContext(known, { visitor: SOMEBODY }, shown)).toMatchObject({ prospect: VISITOR, attribution: "stale" });
  });
});
