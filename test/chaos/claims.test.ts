import { expect, it } from "vitest";
import { runClaimsChaos } from "./claims.ts";

it("no number is leased twice, no promise is cut short and no acknowledged claim is lost while ingress and Postgres are killed", { timeout: 180_000 }, async () => {
  const report = await runClaimsChaos({ claims: 4_000, clients: 3, callers: 6, killEveryMilliseconds: [500, 1_500], deadlineMilliseconds: 60_000 });
  // It was chaos: all of them died, requests failed, numbers changed hands, the scarce pool ran dry, numbers were given back.
  expect(Object.values(report.kills).every((kills) => kills > 0), JSON.stringify(report.kills)).toBe(true);
  expect(Object.keys(report.failed).length).toBeGreaterThan(0);
  expect(report.claims).toBeGreaterThan(1_000);
  expect(report.visitors).toBeGreaterThan(200);
  expect(report.exhausted).toBeGreaterThan(0);
  expect(report.releases).toBeGreaterThan(5);
  expect(report.broken.slice(0, 10)).toEqual([]);
  expect(report.missing.slice(0, 10)).toEqual([]);
  expect(report.faults.slice(0, 10)).toEqual([]);
});
