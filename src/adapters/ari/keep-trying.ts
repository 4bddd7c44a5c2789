import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../../domain/ports.ts";
import { backoffMs } from "./backoff.ts";

export interface Pauses {
  readonly firstMs: number;
  readonly maxMs: number;
}

const PAUSES: Pauses = { firstMs: 100, maxMs: 5_000 };

export interface Trying {
  /** From connecting until the connection is gone. @returns why it went; never rejects */
  readonly session: () => Promise<string>;
  /** Called after each session; the next one waits for it. @returns whether it had been up */
  readonly ended: (reason: string) => Promise<boolean>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly pauses?: Pauses | undefined;
}

/** One session after the other, with a pause in between, until the signal. */
export async function keepTrying({ session, ended, logger, signal, pauses = PAUSES }: Trying): Promise<void> {
  let attempt = 0;
  while (!signal.aborted) {
    const reason = await session();
    if (await ended(reason)) attempt = 0;
    await pause({ reason, attempt, waitMs: backoffMs(attempt, Math.random(), pauses) }, logger, signal);
    attempt += 1;
  }
}

async function pause(why: { readonly reason: string; readonly attempt: number; readonly waitMs: number }, logger: Logger, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  logger.info(why, "ARI is not connected, trying again");
  await sleep(why.waitMs, undefined, { signal }).catch(() => undefined);
}
