import { messageOf } from "../domain/errors.ts";
import type { LeavingPool, Logger, OperatorStore } from "../domain/ports.ts";

export interface CleanUpDependencies {
  readonly store: Pick<OperatorStore, "cleanUp">;
  readonly logger: Logger;
  readonly onCleaned?: (pools: readonly LeavingPool[]) => void;
}

/** After a failure. */
const RETRY_MILLISECONDS = 5_000;

/** Deletes what pools left behind. Beside the passes: it may take minutes, and no change waits for it. */
export class CleanUp {
  readonly #deps: CleanUpDependencies;
  readonly #ending = new AbortController();
  /** Pools that were applied away since the present run began. */
  #next: readonly LeavingPool[] | null = null;
  #running: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(deps: CleanUpDependencies) {
    this.#deps = deps;
  }

  /** One run at a time: what is asked for during one is done by the next, which sees what was applied meanwhile. */
  request(leaving: readonly LeavingPool[]): void {
    if (this.#ending.signal.aborted) return;
    const retained = leaving.filter(({ reclaimPolicy }) => reclaimPolicy !== "Delete");
    if (retained.length > 0) this.#deps.onCleaned?.(retained);
    this.#next = leaving.filter(({ reclaimPolicy }) => reclaimPolicy === "Delete");
    this.#start();
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#retry);
    await this.#running;
  }

  #start(): void {
    clearTimeout(this.#retry);
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    for (let leaving = this.#next; leaving !== null; leaving = this.#next) {
      this.#next = null;
      try {
        await this.#deps.store.cleanUp(signal);
        if (leaving.length > 0) this.#deps.onCleaned?.(leaving);
      } catch (error) {
        if (!signal.aborted) this.#retryLater(leaving, error);
        return;
      }
    }
  }

  #retryLater(leaving: readonly LeavingPool[], error: unknown): void {
    this.#deps.logger.warn({ error: messageOf(error), retryMilliseconds: RETRY_MILLISECONDS }, "what deleted pools left behind can't be deleted; will retry");
    this.#next ??= leaving;
    this.#retry = setTimeout(() => this.#start(), RETRY_MILLISECONDS);
  }
}
