import { Registry } from "prom-client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { RouterStore } from "../../src/domain/ports.ts";
import type { CallContext } from "../../src/domain/types.ts";
import { InTime } from "../../src/router/in-time.ts";
import { createLookUp } from "../../src/router/lookup.ts";
import { routerMetrics } from "../../src/router/metrics.ts";
import { e164, facts } from "../domain/builders.ts";
import { silent as logger } from "../harness/logger.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const WITHIN_MS = 250;
const known = facts().context;

/** Questions to a database that answers when the test wants. */
function started() {
  const registry = new Registry();
  const asked: PromiseWithResolvers<CallContext>[] = [];
  const callContext: RouterStore["callContext"] = () => {
    const answer = Promise.withResolvers<CallContext>();
    asked.push(answer);
    return answer.promise;
  };
  const lookUp = createLookUp({ callContext }, new InTime(WITHIN_MS, routerMetrics(registry)));
  const ask = () => lookUp({ did: e164("+12025550101"), pool: "default/sales", caller: null, at: new Date() }, logger);
  const counted = async () => {
    const { values = [] } = (await registry.getSingleMetric("dialplane_router_lookups_total")?.get()) ?? {};
    return Object.fromEntries(values.map(({ labels, value }): [string, number] => [String(labels["outcome"]), value]));
  };
  return { asked, ask, counted };
}

test("a question that is answered in time is answered with what the database knows", async () => {
  const { asked, ask, counted } = started();
  const answer = ask();
  asked[0]?.resolve(known);
  expect(await answer).toEqual(known);
  expect([await counted(), vi.getTimerCount()]).toEqual([{ answered: 1 }, 0]);
});

test("a call waits no longer than it may", async () => {
  const { asked, ask, counted } = started();
  const answers = Promise.all([ask(), ask()]);
  await vi.advanceTimersByTimeAsync(WITHIN_MS);
  expect(await answers).toMatchObject([{ attribution: "unavailable" }, { attribution: "unavailable" }]);
  const failed = ask();
  asked[2]?.reject(new Error("away"));
  expect(await failed).toMatchObject({ attribution: "unavailable" });
  expect(await counted()).toEqual({ late: 2, failed: 1 });
});

test.each<readonly [string, (late: PromiseWithResolvers<CallContext> | undefined) => void]>([
  ["answered", (late) => late?.resolve(known)],
  ["failed", (late) => late?.reject(new Error("away"))],
])("while five answers are late nobody else is asked for, until one of them has %s", async (_, settle) => {
  const { asked, ask, counted } = started();
  const late = Promise.all(Array.from({ length: 5 }, ask));
  await vi.advanceTimersByTimeAsync(WITHIN_MS);
  await late;
  expect(await ask()).toMatchObject({ attribution: "unavailable" });
  expect([asked.length, await counted()]).toEqual([5, { late: 5, shed: 1 }]);
  settle(asked[0]);
  await vi.advanceTimersByTimeAsync(0);
  const next = ask();
  asked[5]?.resolve(known);
  expect(await next).toEqual(known);
  expect(await counted()).toEqual({ late: 5, shed: 1, answered: 1 });
});
