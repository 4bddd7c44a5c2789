import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { eventually } from "../harness/process.ts";
import { startRolloutWorld, uriOf, type RolloutWorld } from "./rollout-world.ts";

/** Three Asterisk pods with routers of their own, and one database between them. */
let world: RolloutWorld;

vi.setConfig({ testTimeout: 60_000 });

beforeAll(async () => {
  world = await startRolloutWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

async function answeredBy(): Promise<Readonly<Record<string, number>>> {
  const rows = await world.database.pool.query<{ answered_by: string; calls: number }>("select answered_by, count(*)::int as calls from call where ended_at is not null group by 1");
  return Object.fromEntries(rows.rows.map(({ answered_by, calls }) => [answered_by, calls]));
}

test("a destination takes no more calls at a time than its limit, whichever pods they race to; the others go on to the next one", async () => {
  const { first, second } = world.desks;
  world.declared.limited = { calls: 4, next: second };
  await world.changed();
  await world.becomes("RoutingRule", "Programmed", "True/Programmed");
  for (const round of [1, 2]) {
    const results = await Promise.all(world.pods.map((pod) => world.call(pod, { calls: 8, rate: 20, holdMs: 4_000 })));
    expect(results.map(({ stats }) => stats)).toEqual(world.pods.map(() => ({ created: 8, successful: 8, failed: 0 })));
    const expected = { [uriOf(first)]: 4 * round, [uriOf(second)]: 20 * round };
    await eventually("the records", async () => Object.values(await answeredBy()).reduce((sum, calls) => sum + calls, 0) === 24 * round);
    expect(await answeredBy()).toEqual(expected);
    await eventually("all seats are free", async () => (await world.database.pool.query("select from seat")).rowCount === 0);
  }
});
