import { expect, it } from "vitest";

import { runCallsChaos } from "./calls.ts";

it("no bridged call is lost, every caller reaches somebody and every call has one record while router, Postgres and network break", { timeout: 240_000 }, async () => {
  const verdict = await runCallsChaos({ seconds: 40, rate: 6, holdMs: 3_000, quietMs: 700, times: { short: 1_000, long: 4_000, slow: 2_000 } });
  expect(verdict.broken, JSON.stringify(verdict)).toEqual([]);
  // It was chaos: all kinds of it, calls were in every state, and both the rule's destination and the default one were needed.
  expect(verdict.faults.length).toBeGreaterThan(10);
  expect(verdict.faults.filter(({ setUp }) => setUp > 0).length).toBeGreaterThan(5);
  expect(verdict.faults.filter(({ bridged }) => bridged > 0).length).toBeGreaterThan(5);
  expect(Math.min(verdict.byDesk, verdict.byDefault)).toBeGreaterThan(5);
});
