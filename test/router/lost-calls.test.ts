import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { CallRecord } from "../../src/domain/types.ts";
import { startLostCalls } from "../../src/router/lost-calls.ts";
import { aCall, aLeg } from "../adapters/postgres/world.ts";
import { silent } from "../harness/logger.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const LOST = aCall({ legs: [aLeg("a")] });

type Found = readonly CallRecord[] | "away";

/** What is saved after looks that find these, one after the other. */
async function looks(...found: readonly Found[]): Promise<readonly CallRecord[]> {
  const saved: CallRecord[] = [];
  const answers = [...found];
  const lostCalls = () => {
    const next = answers.shift() ?? [];
    return next === "away" ? Promise.reject(new Error("away")) : Promise.resolve(next);
  };
  const calls = { find: (id: string) => (id === "mine" ? ({} as never) : undefined) };
  const running = startLostCalls({ store: { lostCalls }, records: { save: (record) => void saved.push(record) }, calls, clock: { now: () => new Date() }, logger: silent }, 1_000);
  await vi.advanceTimersByTimeAsync(found.length * 1_000);
  running.stop();
  return saved;
}

test("a call that is lost at two looks in a row is closed, and its record says why", async () => {
  expect(await looks([LOST], [LOST])).toMatchObject([{ id: LOST.id, end: "failed", legs: [{ result: "cancelled" }], why: [{ reason: "PodLost" }] }]);
});

test.each<readonly [string, readonly Found[]]>([
  ["once: its pod may only have waited for the database", [[LOST], []]],
  ["before and after the database was away", [[LOST], "away", [LOST]]],
  ["but goes on here", [[{ ...LOST, id: "mine" }], [{ ...LOST, id: "mine" }]]],
])("a call that is lost %s is left alone", async (_, found) => {
  expect(await looks(...found)).toEqual([]);
});
