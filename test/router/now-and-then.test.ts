import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { nowAndThen } from "../../src/router/now-and-then.ts";
import { listeningLogger } from "../harness/logger.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("what fails again and again is said once, and once more when it had worked meanwhile", async () => {
  const logger = listeningLogger();
  const outcomes = [false, false, true, false];
  const work = () => (outcomes.shift() === true ? Promise.resolve() : Promise.reject(new Error("away")));
  const running = nowAndThen(work, { everyMs: 1_000, logger, failing: { message: "not done", fields: { part: "x" } } });
  await vi.advanceTimersByTimeAsync(4_000);
  await running.stop();
  expect(logger.said.map(({ level }) => level)).toEqual(["warn", "debug", "warn"]);
  expect(logger.said[0]).toMatchObject({ fields: { part: "x", error: "away" }, message: "not done" });
});
