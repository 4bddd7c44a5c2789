import { expect, test } from "vitest";

import type { AriChannel } from "../../src/adapters/ari/events.ts";
import { e164, facts } from "../domain/builders.ts";
import type { Prepared } from "../../src/router/inbound.ts";
import { Offers } from "../../src/router/offers.ts";

const channel = (id: string): AriChannel => ({ id, state: "Ring", callerNumber: "", context: "", extension: "", protocolId: "" });
const prepared = (pod: string): Prepared => {
  const origin = { pod, did: e164("+12025550101"), pool: "default/sales", caller: null, receivedAt: new Date() };
  return { call: pod, origin, decision: null, context: Promise.resolve(facts().context) };
};

test("what was prepared when a call was offered is taken once", () => {
  const offers = new Offers(({ id }) => prepared(id));
  offers.add(channel("one"), []);
  expect(offers.take("one")?.origin.pod).toBe("one");
  expect(offers.take("one")).toBeUndefined();
});

test("nothing is kept of a call of which nothing could be prepared", () => {
  const offers = new Offers(() => undefined);
  offers.add(channel("one"), []);
  expect(offers.take("one")).toBeUndefined();
});

test("offers that came to nothing are forgotten, the oldest first", () => {
  const offers = new Offers(({ id }) => prepared(id));
  for (let n = 0; n <= 1_000; n += 1) offers.add(channel(String(n)), []);
  expect([offers.take("0"), offers.take("1")?.origin.pod, offers.take("1000")?.origin.pod]).toEqual([undefined, "1", "1000"]);
});
