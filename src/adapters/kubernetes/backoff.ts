import { setTimeout as sleep } from "node:timers/promises";

export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/**
 * Wait before try number `failures` + 1: doubles from `firstMs` to `longestMs`, and half of it is chance, so that many who failed
 * together do not come back together.
 * @param failures in a row, from 1
 * @param random from 0 to 1
 */
export function backoffMs({ firstMs, longestMs }: Backoff, failures: number, random: () => number = Math.random): number {
  const full = Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, 60));
  return full / 2 + (full / 2) * random();
}

/** Resolves after the time or when the signal is aborted, whichever is first. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
