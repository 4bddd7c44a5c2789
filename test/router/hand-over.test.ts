import { expect, test } from "vitest";

import { handOver } from "../../src/router/hand-over.ts";
import { eventually } from "../harness/process.ts";
import { silent } from "../harness/logger.ts";
import { aDecision, after, decided, gone, INBOUND, LEG, received, ringing } from "../domain/call/builders.ts";
import { testCalls } from "./builders.ts";

/** A router that ends while a destination rings. */
function ending() {
  const asked: string[] = [];
  const calls = testCalls({ perform: ({ type }) => Promise.resolve(void asked.push(type)) });
  const { call } = after(received(), decided(aDecision([["desk"]])), ringing(0));
  calls.start(call, [], silent);
  const began = performance.now();
  return { asked, calls, call, tookMs: handOver(calls).then(() => performance.now() - began) };
}

test("a router that ends gives a caller who is not through to anybody to the dialplan, and goes as soon as Asterisk has done it", async () => {
  const { asked, calls, call, tookMs } = ending();
  await eventually("it was asked for", () => asked.includes("Continue"));
  calls.dispatch(call.id, gone(LEG(0)));
  calls.dispatch(call.id, gone(INBOUND));
  expect(await tookMs).toBeLessThan(900);
});

test("a router that ends waits for an Asterisk that does nothing no longer than a second", async () => {
  const tookMs = await ending().tookMs;
  expect(tookMs).toBeGreaterThan(990);
  expect(tookMs).toBeLessThan(5_000);
});
