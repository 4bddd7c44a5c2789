import { expect, test } from "vitest";

import { createIngressMetrics } from "../../src/ingress/metrics.ts";
import { Newcomers } from "../../src/ingress/newcomers.ts";
import { createMetrics } from "../../src/shared/metrics.ts";

/** One address; a second lets one more in. */
function newcomers() {
  let seconds = 0;
  const all = new Newcomers({ perSecond: 1, burst: 1 }, { now: () => new Date(seconds * 1000) }, createIngressMetrics(createMetrics()).refused);
  return { isLetIn: (device?: string) => all.take("192.0.2.1", device) === 0, second: () => (seconds += 1) };
}

test("who was let in without a token counts once, whatever comes from the same address meanwhile", () => {
  const { isLetIn } = newcomers();
  expect([isLetIn("one"), isLetIn("two"), isLetIn(), isLetIn("one"), isLetIn("two")]).toEqual([true, false, false, true, false]);
});

test("of more visitors than are remembered the first one is forgotten, and counts again", () => {
  const { isLetIn, second } = newcomers();
  for (let n = 0; n <= 50_000; n += 1) {
    isLetIn(`device-${n}`);
    second();
  }
  isLetIn();
  expect([isLetIn("device-1"), isLetIn("device-0")]).toEqual([true, false]);
});
