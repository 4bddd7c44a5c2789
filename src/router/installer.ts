import { messageOf } from "../domain/errors.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import { doubledMs } from "../shared/backoff.ts";

/** Something that Asterisk has to run, whose identity can be read back from it. */
export interface Installable<W extends { readonly hash: string }> {
  /** For logs. */
  readonly name: string;
  /** What should run; null when nothing was made yet. `known` runs already: its content need not be fetched. @throws when it can't be read */
  readonly wanted: (known: string | null) => Promise<W | null>;
  /** The hash of what runs, read back; null when it is none of ours. @throws when Asterisk can't be asked */
  readonly running: () => Promise<string | null>;
  /** Writes, reloads, verifies. @throws when Asterisk does not come to run it; the last good one is back then */
  readonly program: (wanted: W) => Promise<void>;
}

export interface Installed {
  /** The hash that Asterisk was seen to run just now; null when it runs none of ours, or can't be asked. */
  readonly running: string | null;
  readonly error: string | null;
}

/** What failed is tried again, but no oftener than this: every attempt reloads Asterisk twice while it carries calls. */
const RETRY = { firstMs: 2_000, longestMs: 60_000 } as const;

interface Failure {
  readonly hash: string;
  readonly error: string;
  readonly attempts: number;
  readonly retryAt: number;
}

/** Makes Asterisk run what it should, and says what it runs. Never throws: what went wrong is part of the answer. */
export function createInstaller<W extends { readonly hash: string }>(part: Installable<W>, { logger, clock }: { readonly logger: Logger; readonly clock: Clock }) {
  let failure: Failure | null = null;

  const failed = (hash: string, cause: unknown): Failure => {
    const attempts = failure?.hash === hash ? failure.attempts + 1 : 1;
    const waitMs = doubledMs(RETRY, attempts);
    logger.error({ part: part.name, error: messageOf(cause), attempts, waitMs }, "Asterisk does not run what it should");
    return { hash, error: messageOf(cause), attempts, retryAt: clock.now().getTime() + waitMs };
  };

  const install = async (wanted: W, running: string | null): Promise<Installed> => {
    if (failure?.hash === wanted.hash && clock.now().getTime() < failure.retryAt) return { running, error: failure.error };
    try {
      await part.program(wanted);
      failure = null;
      return { running: wanted.hash, error: null };
    } catch (error) {
      failure = failed(wanted.hash, error);
      return { running: await part.running(), error: failure.error };
    }
  };

  const look = async (running: string | null): Promise<Installed> => {
    try {
      const wanted = await part.wanted(running);
      if (wanted === null || wanted.hash === running) return { running, error: null };
      return await install(wanted, running);
    } catch (error) {
      return { running, error: messageOf(error) };
    }
  };

  return {
    look: async (): Promise<Installed> => {
      try {
        return await look(await part.running());
      } catch (error) {
        return { running: null, error: `what Asterisk runs can't be read back: ${messageOf(error)}` };
      }
    },
  };
}
