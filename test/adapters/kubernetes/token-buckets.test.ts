import { expect, test } from "vitest";

import { TokenBuckets } from "../../../src/adapters/kubernetes/token-buckets.ts";

test("of more keys than there is room for the one that was idle longest is forgotten, and is full again", () => {
  const buckets = new TokenBuckets({ size: 1, refillMs: 1_000, monotonic: () => 0 });
  for (const key of ["first", "second"]) buckets.take(key);
  for (let n = 0; n < 9_998; n += 1) buckets.take(`filler-${n}`);
  expect(buckets.take("first")).toBe(false);
  buckets.take("one more");
  expect([buckets.take("first"), buckets.take("second")]).toEqual([false, true]);
});
