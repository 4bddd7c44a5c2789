import type { Logger } from "../../domain/ports.ts";
import { backoffMs, pause, type Backoff } from "../../shared/backoff.ts";

/** Some three seconds. */
const QUIET_ATTEMPTS = 5;
const PAUSES: Backoff = { firstMs: 100, longestMs: 5_000 };

export interface Trying {
  /** From connecting until the connection is gone. @returns why it went; never rejects */
  readonly session: () => Promise<string>;
  /** Called after each session; the next one waits for it. @returns whether it had been up */
  readonly ended: (reason: string) => Promise<boolean>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly pauses?: Backoff | undefined;
}

/** One session after the other, with a pause in between, until the signal. */
export async function keepTrying({ session, ended, logger, signal, pauses = PAUSES }: Trying): Promise<void> {
  let attempt = 0;
  while (!signal.aborted) {
    const reason = await session();
    if (await ended(reason)) attempt = 0;
    await sayAndPause({ reason, attempt, waitMs: Math.round(backoffMs(pauses, attempt + 1)) }, logger, signal);
    attempt += 1;
  }
}

async function sayAndPause(why: { readonly reason: string; readonly attempt: number; readonly waitMs: number }, logger: Logger, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  // Asterisk that starts or is restarted answers by then; a wrong password or address never does.
  logger[why.attempt < QUIET_ATTEMPTS ? "info" : "warn"](why, "ARI is not connected, trying again");
  await pause(why.waitMs, signal);
}
