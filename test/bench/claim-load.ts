import { randomUUIDv7 } from "node:crypto";
import type { NumberClaims } from "../../src/domain/ports.ts";
import type { Acknowledged } from "../adapters/postgres/claim-invariants.ts";

export type Acknowledgement = Acknowledged;

export interface Measured {
  readonly latenciesMs: Float64Array;
  readonly seconds: number;
}

interface Load {
  readonly pool: string;
  /** Each asks again as soon as it is answered. */
  readonly callers: number;
  readonly milliseconds: number;
  /** Where every answer is added. */
  readonly told: Acknowledged[];
}

interface Visitor {
  readonly prospect: string;
  readonly device: string;
}

/** Every fifth claim is a visitor's second page view, some time after the first: a renewal. */
const RENEWAL_EVERY = 5;
const VISITORS_REMEMBERED = 50;
const ATTRIBUTES = { utm_source: "newsletter", utm_campaign: "spring", page: "/offers/garden" };

/** @throws Error when a claim gets no number: then the bench would measure something else */
export async function claimFor(claims: NumberClaims, load: Load): Promise<Measured> {
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + load.milliseconds;
  await Promise.all(Array.from({ length: load.callers }, () => runCaller(claims, load, end, latencies)));
  return { latenciesMs: Float64Array.from(latencies), seconds: (performance.now() - start) / 1000 };
}

async function runCaller(claims: NumberClaims, { pool, told }: Load, end: number, latencies: number[]): Promise<void> {
  const visitors: Visitor[] = [];
  for (let count = 1; performance.now() < end; count += 1) {
    const visitor = count % RENEWAL_EVERY === 0 ? visitors[0] : undefined;
    const { prospect, device } = visitor ?? { prospect: randomUUIDv7(), device: randomUUIDv7() };
    const before = performance.now();
    const [result] = await claims.claim([{ pool, prospect, device, mediaElement: "header", attributes: ATTRIBUTES }]);
    latencies.push(performance.now() - before);
    if (result?.status !== "assigned") throw new Error(`a claim got no number: ${JSON.stringify(result)}`);
    const { did, determinedAt, leasedUntil, renewed } = result;
    told.push({ pool, prospect, did, determinedAt: determinedAt.getTime(), leasedUntil: leasedUntil.getTime(), renewed });
    if (visitor === undefined) visitors.push({ prospect, device });
    if (visitors.length > VISITORS_REMEMBERED) visitors.shift();
  }
}

export function joined(parts: readonly Measured[]): Measured {
  return {
    latenciesMs: Float64Array.from(parts.flatMap(({ latenciesMs }) => [...latenciesMs])),
    seconds: parts.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

/** Nearest rank. @param share from 0 to 1 */
export function percentile(values: Float64Array, share: number): number {
  const sorted = values.toSorted();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
