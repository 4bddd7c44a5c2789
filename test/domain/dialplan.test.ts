import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { fallbackContext, poolContext, trunkEndpoint, UNKNOWN_CONTEXT } from "../../src/domain/asterisk-names.ts";
import { readConfig } from "../../src/domain/asterisk-reader.ts";
import { assertRenderable, dialplanFile, dialplanHash, renderDialplan, type DialplanPool } from "../../src/domain/dialplan.ts";
import { dialplanProbes } from "../../src/domain/dialplan-probes.ts";
import { aDialplanPool, anAsteriskTrunk, scatteredNumbers } from "./asterisk-builders.ts";

const POOLS = [
  aDialplanPool("acme/sales", [["+12025550110", "+12025550129"], "+442071838750"]),
  aDialplanPool("acme/support", [["+12025550130", "+12025550134"]], {
    defaultDestination: { sipUri: "sip:desk@[2001:db8::7]:5070;transport=tcp", trunkRef: { name: "pbx" } },
  }),
  aDialplanPool("beta/orphan", ["+4930901820"], { blockedCallers: ["+1900", "+1901", "+4420718387"] }),
];
const TRUNKS = [
  anAsteriskTrunk("acme/carrier"),
  anAsteriskTrunk("acme/pbx", {
    host: "2001:db8::7",
    callerId: { from: "Fixed", fixed: { number: "+12025550100" }, pAssertedIdentity: "Caller", diversion: "Tracking" },
  }),
];

/** Follows a number through the rendered text as Asterisk would: own patterns first, then includes. */
function targetOf(content: string, number: string): string {
  const contexts = new Map(readConfig(content).map(({ name, entries }) => [name, entries]));
  let context = "dialplane-inbound";
  for (let hop = 0; hop < 20; hop += 1) {
    const text = context === "dialplane-inbound" ? number : number.replaceAll(/[^0-9]/g, "");
    const line = (contexts.get(context) ?? []).find(([key, value]) => key === "exten" && matches(value.split(",")[0]!, text));
    if (line === undefined) {
      return (contexts.get(context) ?? []).some(([key]) => key === "include") ? UNKNOWN_CONTEXT : "no match";
    }
    context = /Goto\(([^,]+),/.exec(line[1])?.[1] ?? "no goto";
    if (!context.startsWith("dialplane-dids-")) return context;
  }
  return "endless";
}

function matches(exten: string, text: string): boolean {
  if (!exten.startsWith("_")) return exten === text;
  const source = exten.slice(1).replaceAll("+", "\\+").replaceAll("X", "[0-9]").replaceAll("Z", "[1-9]").replace(/!$/, ".*");
  return new RegExp(`^${source}$`).test(text);
}

describe("renderDialplan", () => {
  test("gives the golden file", async () => {
    await expect(dialplanFile(renderDialplan({ pools: POOLS, trunks: TRUNKS }))).toMatchFileSnapshot("../golden/dialplan.conf");
  });

  test("is the same for the same input in any order", () => {
    const expected = renderDialplan({ pools: POOLS, trunks: TRUNKS });
    const reversed = POOLS.map((pool) => ({ ...pool, owned: [...pool.owned].reverse() })).reverse();
    expect(renderDialplan({ pools: reversed, trunks: [...TRUNKS].reverse() })).toEqual(expected);
  });

  test("carries the hash of its content, and the marker comes last in the file", () => {
    const revision = renderDialplan({ pools: POOLS, trunks: TRUNKS });
    expect(dialplanHash(revision.content)).toBe(revision.hash);
    expect(revision.marker).toBe(`DIALPLANE_REVISION=${revision.hash}`);
    expect(dialplanFile(revision).endsWith(`[globals]\nDIALPLANE_REVISION = ${revision.hash}\n`)).toBe(true);
  });

  test("without pools refuses every number", () => {
    const { content } = renderDialplan({ pools: [], trunks: [] });
    expect(targetOf(content, "+12025550110")).toBe(UNKNOWN_CONTEXT);
  });

  test.each([
    ["+12025550110", "acme/sales"],
    ["12025550129", "acme/sales"],
    ["+442071838750", "acme/sales"],
    ["+12025550134", "acme/support"],
    ["+4930901820", "beta/orphan"],
  ])("leads %s to %s", (number, pool) => {
    const { content } = renderDialplan({ pools: POOLS, trunks: TRUNKS });
    expect(targetOf(content, number)).toBe(poolContext(pool));
  });

  test.each(["+12025550109", "+12025550135", "+44207183875", "+4420718387501", "+99999999999"])("leads the unknown DID %s to the refusal", (number) => {
    const { content } = renderDialplan({ pools: POOLS, trunks: TRUNKS });
    expect(targetOf(content, number)).toBe(UNKNOWN_CONTEXT);
  });

  test.each(["${SHELL(id)}", "1${SHELL(id)}", "+1202555011O", "s", "i", "h", "911", "+0202555011", "+1234567890123456", "1".repeat(79)])(
    "has no way in for %j",
    (text) => {
      expect(targetOf(renderDialplan({ pools: POOLS, trunks: TRUNKS }).content, text)).toBe("no match");
    },
  );

  test("leads each number of any pools to its pool and every other number to the refusal", () => {
    const number = fc.integer({ min: 1_202_555_0000, max: 1_202_555_3999 }).map((n) => `+${n}`);
    fc.assert(
      fc.property(fc.uniqueArray(number, { minLength: 1, maxLength: 60 }), fc.array(number, { maxLength: 30 }), (owned, others) => {
        const pools = owned.map((did, i) => ({ did, pool: `acme/p${i % 3}` }));
        const input = [0, 1, 2].map((i) => aDialplanPool(`acme/p${i}`, pools.filter(({ pool }) => pool === `acme/p${i}`).map(({ did }) => did)));
        const { content } = renderDialplan({ pools: input, trunks: TRUNKS });
        for (const { did, pool } of pools) expect(targetOf(content, did)).toBe(poolContext(pool));
        for (const did of others.filter((one) => !owned.includes(one))) expect(targetOf(content, did)).toBe(UNKNOWN_CONTEXT);
      }),
      { numRuns: 50 },
    );
  });

  test("keeps every context of 20,000 scattered numbers and a million in a row at 1,000 extensions at most", () => {
    const scattered = scatteredNumbers(20_000);
    const { content } = renderDialplan({
      pools: [aDialplanPool("acme/block", [["+12020000000", "+12020999999"]]), aDialplanPool("acme/scattered", scattered)],
      trunks: TRUNKS,
    });
    const sizes = readConfig(content).map(({ entries }) => entries.filter(([key]) => key === "exten").length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
    for (const did of [scattered[0]!, scattered[9_999]!, scattered.at(-1)!]) expect(targetOf(content, did)).toBe(poolContext("acme/scattered"));
    expect(targetOf(content, "+12020543210")).toBe(poolContext("acme/block"));
    const free = ["+13030000001", "+13031234567", "+13039999999"].filter((did) => !scattered.includes(did));
    expect(free.map((did) => targetOf(content, did))).toEqual(free.map(() => UNKNOWN_CONTEXT));
    expect(free).not.toEqual([]);
  });

  test("tells blocked callers by their beginnings, in one context of at most 1,000 extensions a list, and only where there are any", () => {
    const blockedCallers = ["+1900", "+1901", "+44", "+4", "+0", ...Array.from({ length: 995 }, (_, i) => `+1303${String(i * 7_919).padStart(7, "0")}`)];
    const withList = POOLS.map((pool) => ({ ...pool, spec: { ...pool.spec, blockedCallers: pool.key === "beta/orphan" ? [] : blockedCallers } }));
    const without = readConfig(renderDialplan({ pools: POOLS.map((pool) => ({ ...pool, spec: { ...pool.spec, blockedCallers: [] } })), trunks: TRUNKS }).content);
    const sections = readConfig(renderDialplan({ pools: withList, trunks: TRUNKS }).content);
    const changed = sections.filter(({ name, entries }) => JSON.stringify(without.find((one) => one.name === name)?.entries) !== JSON.stringify(entries));
    const [, , blocked, ...more] = changed;
    expect(changed.map(({ name }) => name)).toEqual([fallbackContext("acme/sales"), fallbackContext("acme/support"), expect.stringMatching(/^dialplane-blocked-/)]);
    expect(more).toEqual([]);
    const extensions = blocked!.entries.map(([, value]) => value.split(",")[0]!);
    expect(extensions).toHaveLength(998);
    const isBlocked = (digits: string) => extensions.some((exten) => matches(exten, digits));
    expect(["1900", "19015550123", "4420", "49", "13030007919"].filter((digits) => !isBlocked(digits))).toEqual([]);
    expect(["19", "19025550123", "13030007918", "0", ""].filter(isBlocked)).toEqual([]);
  });

  test("names pool and field of a destination out of format, and assertRenderable finds it alone", () => {
    const bad = aDialplanPool("acme/bad", ["+12025550140"], { defaultDestination: { sipUri: "sip:a@b,60,g" } });
    const refusal = expect.objectContaining({ code: "InvalidInput", message: expect.stringContaining("pool acme/bad: ") as string }) as Error;
    expect(() => renderDialplan({ pools: [...POOLS, bad], trunks: TRUNKS })).toThrow(refusal);
    expect(() => assertRenderable(bad, TRUNKS)).toThrow(refusal);
    expect(() => assertRenderable(POOLS[0]!, TRUNKS)).not.toThrow();
  });

  test("no key or destination changes the structure of the file", () => {
    const names = contextNames(renderDialplan({ pools: POOLS, trunks: TRUNKS }).content);
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), fc.boolean(), (text, asUri) => {
        const destination = asUri ? { sipUri: `sip:${text}` } : { number: text };
        const pools: DialplanPool[] = [{ ...POOLS[0]!, spec: { ...POOLS[0]!.spec, defaultDestination: destination } }, ...POOLS.slice(1)];
        try {
          expect(contextNames(renderDialplan({ pools, trunks: TRUNKS }).content)).toEqual(names);
        } catch (error) {
          expect(error).toMatchObject({ code: "InvalidInput" });
        }
      }),
    );
  });
});

function contextNames(content: string): string[] {
  return readConfig(content).map(({ name }) => name);
}

describe("dialplanProbes", () => {
  test("holds one probe for every context, a number that the context matches", () => {
    const { content } = renderDialplan({ pools: POOLS, trunks: TRUNKS });
    const probes = dialplanProbes(content);
    expect(probes.map(({ context }) => context)).toEqual(contextNames(content));
    expect(probes).toContainEqual({ context: poolContext("acme/sales"), exten: "0" });
    expect(probes).toContainEqual({ context: `dialplane-headers-${trunkEndpoint("acme/pbx")}`, exten: "s" });
    for (const { context, exten } of probes) {
      const entries = readConfig(content).find(({ name }) => name === context)!.entries;
      expect(entries.some(([key, value]) => key === "exten" && matches(value.split(",")[0]!, exten))).toBe(true);
    }
  });

  test("refuses content that is cut off", () => {
    const { content } = renderDialplan({ pools: POOLS, trunks: TRUNKS });
    expect(() => dialplanProbes(content.slice(0, -20))).toThrow("cut off");
  });
});
