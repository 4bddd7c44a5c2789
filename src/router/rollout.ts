import { setTimeout as sleep } from "node:timers/promises";

import { messageOf } from "../domain/errors.ts";
import type { Logger, PodReport, RouterStore, TrunkReport } from "../domain/ports.ts";
import { repeat, type Repeated } from "../shared/repeat.ts";
import type { Installed } from "./installer.ts";

export interface Rollout {
  /** Something may have changed, or Asterisk was away: looks, and programs what differs. Calls that come meanwhile make one more look. */
  trigger(): void;
  /** What Asterisk was last seen to run; null before the first look. */
  readonly seen: Pick<PodReport, "running" | "trunks"> | null;
  /** Also takes the pod out of the list, so that nobody waits for what it will not run any more. */
  stop(): Promise<void>;
}

export interface RolloutDeps {
  readonly pod: string;
  readonly store: Pick<RouterStore, "reportPod" | "removePod">;
  readonly logger: Logger;
  /** Revision of the snapshot that calls are routed by; null before the first. */
  readonly routing: () => number | null;
  /** null without a folder of trunks. */
  readonly trunks: (() => Promise<TrunkReport>) | null;
  readonly dialplan: () => Promise<Installed>;
  /** Whether Asterisk was up once, or should have been by now. Before, nothing is reported: nobody has to wait for a pod that is only starting. */
  readonly started: () => boolean;
  /** Everything is read back and reported at least this often: a report is also the pod's sign of life. */
  readonly verifyMs: number;
}

/** How long a stopping pod waits for the database to take its name off the list. */
const FAREWELL_MS = 2_000;

/**
 * Keeps Asterisk at what the database and the folder of trunks say, one look at a time, and reports what it RUNS, never what it was sent.
 * Trunks come before the dialplan in each look: a dialplan should never name an endpoint that Asterisk does not have.
 */
export function createRollout(deps: RolloutDeps): Rollout {
  const stopping = new AbortController();
  let wake: () => void = () => undefined;
  let wanted = false;
  let seen: Rollout["seen"] = null;

  let last: PodReport | null = null;

  const observe = async (): Promise<PodReport> => {
    const trunks = deps.trunks === null ? null : await deps.trunks();
    const { running, error } = await deps.dialplan();
    seen = { running, trunks };
    // Asked last: what is routed by now may be newer than what woke this look.
    return { pod: deps.pod, running, error, routing: deps.routing(), trunks };
  };

  const look = async (): Promise<void> => {
    const beat = heartbeat(deps, () => last);
    const report = await observe().finally(() => beat.stop());
    if (last === null && !deps.started()) return;
    last = report;
    await deps.store.reportPod(report);
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      wanted = false;
      await look().catch((error: unknown) => deps.logger.warn({ error: messageOf(error) }, "what this pod runs could not be reported, trying again"));
      await pause();
    }
  };

  const pause = async (): Promise<void> => {
    if (wanted) return;
    const woken = new AbortController();
    wake = () => woken.abort();
    await sleep(deps.verifyMs, undefined, { signal: AbortSignal.any([woken.signal, stopping.signal]) }).catch(() => undefined);
  };

  let running: Promise<void> | undefined;
  return {
    get seen() {
      return seen;
    },
    trigger: () => {
      wanted = true;
      if (!stopping.signal.aborted) running ??= run();
      wake();
    },
    stop: async () => {
      stopping.abort();
      await running;
      if (running !== undefined) await farewell(deps);
    },
  };
}

/** A reload may take minutes: the pod lives and runs what it ran before. */
function heartbeat({ store, verifyMs, logger }: RolloutDeps, last: () => PodReport | null): Repeated {
  const say = async (): Promise<void> => {
    const report = last();
    if (report !== null) await store.reportPod(report);
  };
  return repeat(say, { everyMs: verifyMs, failed: (error) => logger.debug({ error: messageOf(error) }, "a sign of life was not taken") });
}

async function farewell({ pod, store, logger }: RolloutDeps): Promise<void> {
  const late = sleep(FAREWELL_MS, undefined, { ref: false }).then(() => Promise.reject(new Error("the database did not answer in time")));
  await Promise.race([store.removePod(pod), late]).catch((error: unknown) => {
    logger.info({ error: messageOf(error) }, "this pod could not be taken off the list; it goes by itself when it is silent");
  });
}
