import { expect, test } from "vitest";

import { aDestination } from "../domain/builders.ts";
import { eventually } from "../harness/process.ts";
import { startSippServer } from "../harness/sipp.ts";
import { startTestRouter, startWorld, toUri } from "./world.ts";

test("a router without REST over WebSocket bridges a call and leaves its record", async () => {
  await using parts = new AsyncDisposableStack();
  const answers = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  const world = await startWorld(toUri(answers));
  parts.defer(() => world.stop());
  const rest = { ...world, config: { ...world.config, ariTransport: "rest" as const } };
  const router = await startTestRouter(rest, { rule: { destinations: [aDestination({ name: "desk", sipUri: toUri(answers) })] } });
  parts.defer(() => router.stop());
  expect(await world.call()).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  await eventually("the final record", () => router.store.final().length === 1);
  expect(router.store.final()).toMatchObject([{ end: "completed", rule: "default/rule", legs: [{ result: "answered" }], hangupCause: 16 }]);
  await world.expectEmpty();
  expect(router.log()).not.toContain(world.config.ari.password);
});
