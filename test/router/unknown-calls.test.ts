import { expect, test } from "vitest";

import { refusedWith } from "../adapters/asterisk-config/scenarios.ts";
import { eventually } from "../harness/process.ts";
import { type RunningRouter, startTestRouter, startWorld } from "./world.ts";

async function counted({ registry }: RunningRouter): Promise<number> {
  return Number(/dialplane_router_unknown_calls_total (\d+)/.exec(await registry.metrics())?.[1]);
}

test("calls to numbers of no pool are counted by one router: the next one goes on behind them, and counts those that came while there was none", async () => {
  await using parts = new AsyncDisposableStack();
  const world = await startWorld("sip:nobody@127.0.0.9");
  parts.defer(() => world.stop());
  const refused = async () => expect(await world.call({ to: "+19005550100", scenario: refusedWith(404), keys: { headers: "Subject: none" } })).toMatchObject({ exitCode: 0 });
  const first = await startTestRouter(world, { rule: null });
  for (let calls = 0; calls < 3; calls += 1) await refused();
  await eventually("they are counted", async () => (await counted(first)) === 3, 15_000);
  await first.stop();
  await refused();
  const second = await startTestRouter(world, { rule: null });
  parts.defer(() => second.stop());
  await eventually("it is counted", async () => (await counted(second)) > 0, 15_000);
  expect(await counted(second)).toBe(1);
});
