import { describe, expect, test } from "vitest";

import { renderDialplan } from "../../src/domain/dialplan.ts";
import { dialplanFor } from "../../src/domain/retiring.ts";
import { aDialplanPool, anAsteriskTrunk } from "./asterisk-builders.ts";
import { e164 } from "./builders.ts";

const sales = { ...aDialplanPool("acme/sales", [["+12025550100", "+12025550109"]]), uid: "sales" };
const help = { ...aDialplanPool("acme/help", ["+12025550120"]), uid: "help" };
const declared = { pools: [sales, help], trunks: [anAsteriskTrunk()] };
const range = (from: string, to = from) => ({ from: e164(from), to: e164(to) });

/** What would be rendered if the numbers were the pool's own. */
function withNumbers(...numbers: readonly (string | readonly [string, string])[]): string {
  return renderDialplan({ ...declared, pools: [aDialplanPool("acme/sales", numbers), help] }).content;
}

describe("the dialplan while numbers retire", () => {
  test("treats them as the pool's own, and is the declared one without any", () => {
    const dialplan = dialplanFor(declared);
    expect(dialplan([]).content).toBe(renderDialplan(declared).content);
    const retiring = [{ uid: "sales", ranges: [range("+12025550110", "+12025550112"), range("+12025550199")] }];
    expect(dialplan(retiring).content).toBe(withNumbers(["+12025550100", "+12025550112"], "+12025550199"));
    expect(dialplan([]).content).toBe(renderDialplan(declared).content);
  });

  test("leaves a number to the pool that has it now", () => {
    const retiring = [{ uid: "sales", ranges: [range("+12025550119", "+12025550121")] }];
    expect(dialplanFor(declared)(retiring).content).toBe(withNumbers(["+12025550100", "+12025550109"], "+12025550119", "+12025550121"));
  });

  test("has nothing of a pool that is not in service", () => {
    expect(dialplanFor(declared)([{ uid: "gone", ranges: [range("+12025550150")] }]).content).toBe(renderDialplan(declared).content);
  });

  test("is rendered once for the same numbers", () => {
    const dialplan = dialplanFor(declared);
    const retiring = () => [{ uid: "sales", ranges: [range("+12025550110")] }];
    expect(dialplan(retiring())).toBe(dialplan(retiring()));
  });
});
