import { afterAll, expect, test } from "vitest";

import { createTelephony } from "../../src/adapters/ari/telephony.ts";
import { STASIS_APP } from "../../src/domain/asterisk-names.ts";
import { startListener } from "../adapters/ari/listener.ts";
import { eventually, isAlive } from "../harness/process.ts";
import { startSippServer } from "../harness/sipp.ts";
import { startTestRouter, startWorld, toUri } from "./world.ts";

const parts = new AsyncDisposableStack();
afterAll(() => parts.disposeAsync());

const LISTS = ["GET channels", "GET bridges", `GET applications/${STASIS_APP}`];

test("a router that comes while a thousand channels live compares them, and leaves Asterisk and them alone", { timeout: 120_000 }, async () => {
  const fallback = parts.use(await startSippServer({ scenario: "no-answer-ring.xml" }));
  const world = await startWorld(toUri(fallback));
  parts.defer(() => world.stop());
  const first = await startTestRouter(world, { rule: null });
  await first.stop();
  const telephony = createTelephony(world.ari, STASIS_APP);
  const startedAt = await telephony.startedAt();
  // SIPp has three seconds' worth of calls open at most.
  const callers = Array.from({ length: 4 }, () => world.call({ calls: 130, rate: 45, timeoutMs: 60_000 }));
  const over = Promise.allSettled(callers);
  const channels = async () => (await telephony.channels()).length;
  await eventually("a thousand channels", async () => (await channels()) >= 1_000, 45_000);
  const between = parts.use(await startListener(world.asterisk.ari.url));
  const router = await startTestRouter({ ...world, config: { ...world.config, ari: { ...world.config.ari, url: between.url } } }, { rule: null });
  await eventually("it has the lists", () => LISTS.every((list) => [...between.http, ...between.sockets].includes(list)), 30_000);
  expect(router.log()).not.toContain("could not be compared");
  // An answer of that size on a WebSocket kills Asterisk.
  expect(between.sockets.length).toBeGreaterThan(0);
  expect(between.sockets.filter((asked) => LISTS.includes(asked))).toEqual([]);
  expect([isAlive(world.asterisk.pid), await telephony.startedAt()]).toEqual([true, startedAt]);
  expect(await channels()).toBeGreaterThan(900);
  await router.stop();
  await world.asterisk.stop();
  await over;
});
