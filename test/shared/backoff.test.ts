import { expect, test } from "vitest";
import { backoffMs, doubledMs, pause } from "../../src/shared/backoff.ts";

const BACKOFF = { firstMs: 100, longestMs: 5_000 };

test("doubles from the first wait to the longest, however often it fails", () => {
  expect([1, 2, 3, 6, 7, 8, 5_000].map((failures) => doubledMs(BACKOFF, failures))).toEqual([100, 200, 400, 3_200, 5_000, 5_000, 5_000]);
});

test("half of the wait is chance", () => {
  expect([0, 0.5, 1].map((random) => backoffMs(BACKOFF, 3, () => random))).toEqual([200, 300, 400]);
});

test("a pause ends with its signal, also with one that was aborted before", async () => {
  const startedAt = performance.now();
  const stopping = new AbortController();
  setTimeout(() => stopping.abort(), 5);
  await pause(60_000, stopping.signal);
  await pause(60_000, stopping.signal);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
