import { afterAll, expect, test } from "vitest";

import { eventually } from "../harness/process.ts";
import { startSippServer } from "../harness/sipp.ts";
import { startTestRouter, startWorld, toUri } from "./world.ts";

const parts = new AsyncDisposableStack();
afterAll(() => parts.disposeAsync());

test("a router that comes while a thousand channels live leaves Asterisk and them alone", { timeout: 120_000 }, async () => {
  const fallback = parts.use(await startSippServer({ scenario: "no-answer-ring.xml" }));
  const world = await startWorld(toUri(fallback));
  parts.defer(() => world.stop());
  const first = await startTestRouter(world, { rule: null });
  await first.stop();
  // SIPp has three seconds' worth of calls open at most.
  const callers = Array.from({ length: 4 }, () => world.call({ calls: 130, rate: 45, timeoutMs: 60_000 }));
  const over = Promise.allSettled(callers);
  const channels = async () => ((await world.ari.request("GET", "/channels")) as unknown[]).length;
  await eventually("a thousand channels", async () => (await channels()) >= 1_000, 45_000);
  const router = await startTestRouter(world, { rule: null });
  await eventually("it has looked at them", () => router.log().includes("ARI is connected"));
  expect(await channels()).toBeGreaterThan(900);
  await router.stop();
  await world.asterisk.stop();
  await over;
});
