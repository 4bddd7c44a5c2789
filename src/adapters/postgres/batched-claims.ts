import { Coalescer } from "../../domain/coalescer.ts";
import type { NumberClaims } from "../../domain/ports.ts";
import type { ClaimRequest, ClaimResult } from "../../domain/types.ts";
import { isFaultOfOneItem } from "./retry.ts";

export interface ClaimBatchLimits {
  /** Requests in one statement at most. One HTTP request's stay together, even when they are more. */
  readonly maxBatch: number;
  /** Statements under way at once, a connection each. Two suffice: more share the same disk. */
  readonly parallel: number;
  /** Requests waiting at most; more are refused at once with `Unavailable`. */
  readonly maxWaiting: number;
}

/** Claims that are asked for at the same time are decided in one statement; results are as if each had been asked for alone. */
export function batchedClaims(claims: NumberClaims, limits: ClaimBatchLimits): NumberClaims {
  const coalescer = new Coalescer<readonly ClaimRequest[], readonly ClaimResult[]>((groups) => claimTogether(claims, groups), {
    ...limits,
    weigh: (group) => group.length,
    retrySingly: isFaultOfOneItem,
  });
  return {
    claim: (requests) => (requests.length === 0 ? Promise.resolve([]) : coalescer.add(requests)),
    release: (pools, by) => claims.release(pools, by),
  };
}

async function claimTogether(claims: NumberClaims, groups: readonly (readonly ClaimRequest[])[]): Promise<readonly (readonly ClaimResult[])[]> {
  const results = await claims.claim(groups.flat());
  const wanted = groups.reduce((sum, group) => sum + group.length, 0);
  if (results.length !== wanted) throw new Error(`${wanted} claims were answered by ${results.length} results`);
  let start = 0;
  return groups.map((group) => results.slice(start, (start += group.length)));
}
