import { setTimeout as sleep } from "node:timers/promises";

import { messageOf } from "../domain/errors.ts";
import type { DialplanRevision, Logger, PodReport, RouterStore } from "../domain/ports.ts";

export interface DialplanPush {
  /** Something may have changed, or Asterisk was away: looks, and programs what differs. Calls that come meanwhile make one more look. */
  trigger(): void;
  /** The hash that Asterisk was seen to run; null before the first. */
  readonly verified: string | null;
  stop(): Promise<void>;
}

export interface DialplanPushDeps {
  readonly pod: string;
  readonly store: Pick<RouterStore, "dialplan" | "reportPod">;
  readonly logger: Logger;
  /** Writes, reloads, verifies. @throws when Asterisk does not come to run it */
  readonly program: (revision: DialplanRevision) => Promise<unknown>;
  /** What Asterisk runs now, read back. */
  readonly running: () => Promise<string | null>;
  readonly retryMs: number;
}

/** Makes Asterisk run the dialplan of the database, one push at a time, and reports what it runs, never what it was sent. */
export function createDialplanPush(deps: DialplanPushDeps): DialplanPush {
  const stopping = new AbortController();
  let wanted = false;
  let working: Promise<void> | undefined;
  let verified: string | null = null;

  const pushOnce = async (): Promise<boolean> => {
    const report = await push(deps);
    verified = report.running;
    await deps.store.reportPod(report);
    return report.error === null;
  };

  const attempt = async (): Promise<boolean> => {
    try {
      return await pushOnce();
    } catch (error) {
      deps.logger.warn({ error: messageOf(error) }, "the dialplan could not be brought up to date, trying again");
      return false;
    }
  };

  const work = async (): Promise<void> => {
    while (wanted && !stopping.signal.aborted) {
      wanted = false;
      if (!(await attempt())) {
        wanted = true;
        await sleep(deps.retryMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
    working = undefined;
  };

  return {
    get verified() {
      return verified;
    },
    trigger: () => {
      wanted = true;
      if (!stopping.signal.aborted) working ??= work();
    },
    stop: async () => {
      stopping.abort();
      await working;
    },
  };
}

async function push({ pod, store, logger, program, running }: DialplanPushDeps): Promise<PodReport> {
  const revision = await store.dialplan();
  const before = await running();
  if (revision === null || before === revision.hash) {
    return { pod, running: before, error: null };
  }
  try {
    await program(revision);
    logger.info({ revision: revision.revision, hash: revision.hash }, "dialplan programmed and verified");
    return { pod, running: revision.hash, error: null };
  } catch (error) {
    logger.error({ revision: revision.revision, hash: revision.hash, error: messageOf(error) }, "Asterisk does not run the new dialplan");
    return { pod, running: await running(), error: messageOf(error) };
  }
}
