import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";

import { startGate } from "../adapters/ari/gate.ts";
import { aDestination } from "../domain/builders.ts";
import { eventually } from "../harness/process.ts";
import { startSippServer } from "../harness/sipp.ts";
import { startTestRouter, startWorld, toUri } from "./world.ts";

test("while Asterisk is a second behind with what calls ask for, further calls are left to the default destination", { timeout: 60_000 }, async () => {
  await using parts = new AsyncDisposableStack();
  const desk = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  const fallback = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  const direct = await startWorld(toUri(fallback));
  parts.defer(() => direct.stop());
  const gate = parts.use(await startGate(direct.asterisk.ari.url));
  const world = { ...direct, config: { ...direct.config, ari: { ...direct.config.ari, url: gate.url, lanes: 1 } } };
  const router = await startTestRouter(world, { rule: { destinations: [aDestination({ name: "desk", sipUri: toUri(desk) })] } });
  parts.defer(() => router.stop());
  const shed = async () => (await router.registry.getSingleMetric("dialplane_router_shed_total")?.get())?.values[0]?.value ?? 0;

  gate.silence("app=dialplane-commands");
  const first = world.call();
  await eventually("the first call is the router's", () => router.liveCalls() === 1);
  // Its second leg is asked for, and nobody hears that.
  await sleep(1_100);
  expect(await world.call()).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  expect([await shed(), router.liveCalls()]).toEqual([1, 1]);

  gate.speak();
  expect(await first).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  expect(await world.call()).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  await eventually("both records", () => router.store.final().length === 2);
  expect(router.store.final()).toMatchObject([{ end: "completed", rule: "default/rule" }, { end: "completed", rule: "default/rule" }]);
  expect(await shed()).toBe(1);
  await world.expectEmpty();
});
