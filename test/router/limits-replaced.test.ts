import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";

import { aDestination } from "../domain/builders.ts";
import { eventually } from "../harness/process.ts";
import { startSippServer } from "../harness/sipp.ts";
import { startTestRouter, startWorld, toUri } from "./world.ts";

/** Seats are renewed as often. */
const RENEWED_MS = 21_000;

test("a router that another one replaced leaves the seats of calls that go on", async () => {
  await using parts = new AsyncDisposableStack();
  const answers = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  const world = await startWorld(toUri(answers));
  parts.defer(() => world.stop());
  const rules = { rule: { destinations: [aDestination({ sipUri: toUri(answers), maxConcurrentCalls: 1 })] } };
  const first = await startTestRouter(world, rules);
  parts.defer(() => first.stop());
  const started = performance.now();
  const call = world.call({ holdMs: RENEWED_MS + 2_000, timeoutMs: RENEWED_MS + 10_000 });
  await eventually("two talk", () => first.log().includes('"to":"bridged"'));
  const second = await startTestRouter(world, rules);
  parts.defer(() => second.stop());
  await eventually("the first stands by", () => first.log().includes("standing by"));
  await sleep(RENEWED_MS - (performance.now() - started));
  expect(first.store.seats.size).toBe(1);
  expect(await call).toMatchObject({ exitCode: 0 });
});
