import { expect, test } from "vitest";

import { batchedClaims } from "../../../src/adapters/postgres/batched-claims.ts";
import type { NumberClaims } from "../../../src/domain/ports.ts";
import type { ClaimRequest, ClaimResult } from "../../../src/domain/types.ts";
import { aRequest } from "./world.ts";

const unchanged = ({ prospect }: ClaimRequest): ClaimResult => ({ prospect, status: "unchanged", reason: "Exhausted" });
const BAD = "bad";

/** Two requests of one moment, the first of which the database has something against. */
async function both(failure: Error) {
  const asked: number[] = [];
  const claims: NumberClaims = {
    claim: (requests) => {
      asked.push(requests.length);
      return requests.some(({ prospect }) => prospect === BAD) ? Promise.reject(failure) : Promise.resolve(requests.map(unchanged));
    },
    release: () => Promise.resolve([]),
  };
  const batched = batchedClaims(claims, { maxBatch: 10, parallel: 1, maxWaiting: 10 });
  const outcomes = await Promise.allSettled([batched.claim([aRequest(BAD)]), batched.claim([aRequest("good")])]);
  return { asked, outcomes: outcomes.map(({ status }) => status) };
}

const withCode = (code: string) => Object.assign(new Error(code), { code });

test.each(["22P05", "23514", "40001"])("a fault of one request (%s) fails that one alone", async (code) => {
  expect(await both(withCode(code))).toEqual({ asked: [2, 1, 1], outcomes: ["rejected", "fulfilled"] });
});

test.each([
  ["a lost connection", withCode("08006")],
  ["a full disk", withCode("53100")],
  ["a statement that took too long", withCode("57014")],
  ["a fault without a code", new Error("Query read timeout")],
])("after %s nothing is asked again one by one: all would fail the same", async (_, failure) => {
  expect(await both(failure)).toEqual({ asked: [2], outcomes: ["rejected", "rejected"] });
});

test("a database that answers fewer than were asked fails them all: nobody gets another one's number", async () => {
  const claims: NumberClaims = { claim: (requests) => Promise.resolve(requests.slice(1).map(unchanged)), release: () => Promise.resolve([]) };
  const batched = batchedClaims(claims, { maxBatch: 10, parallel: 1, maxWaiting: 10 });
  const outcomes = await Promise.allSettled([batched.claim([aRequest("one")]), batched.claim([aRequest("two")])]);
  expect(outcomes).toMatchObject([1, 2].map(() => ({ status: "rejected", reason: { message: "2 claims were answered by 1 results" } })));
});
