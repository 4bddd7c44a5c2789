import { setTimeout as sleep } from "node:timers/promises";

/** Waits between tries: the first one doubles with each failure in a row, up to the longest. */
export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/**
 * Without chance: for what is alone in waiting for what it asks.
 * @param failures in a row, from 1
 */
export function doubledMs({ firstMs, longestMs }: Backoff, failures: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 60));
}

/**
 * Half of it is chance, so that many who failed together do not come back together.
 * @param failures in a row, from 1
 * @param random from 0 to 1
 */
export function backoffMs(backoff: Backoff, failures: number, random: () => number = Math.random): number {
  const full = doubledMs(backoff, failures);
  return full / 2 + (full / 2) * random();
}

/** Resolves after the time or when the signal is aborted, whichever is first. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
