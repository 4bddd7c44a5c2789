import { messageOf } from "../domain/errors.ts";
import type { Logger } from "../domain/ports.ts";
import type { RouterMetrics } from "./metrics.ts";

/** Below the number of connections, so that records still find one. */
const MAX_LATE = 5;

/**
 * Asks the database for a caller who waits, for at most so long. A database that is slow or gone costs what it would have said, never the call.
 *
 * One that answers slower than calls come in is not asked any more until it has caught up: questions whose callers have long been routed
 * would keep it, and the connections, from the next ones.
 */
export class InTime {
  readonly #withinMs: number;
  readonly #lookups: RouterMetrics["lookups"];
  #late = 0;

  constructor(withinMs: number, { lookups }: Pick<RouterMetrics, "lookups">) {
    this.#withinMs = withinMs;
    this.#lookups = lookups;
  }

  /**
   * @param failure what is logged when the answer is an error
   * @returns undefined when there was no answer in time
   */
  async ask<T>(question: () => Promise<T>, logger: Logger, failure: string): Promise<T | undefined> {
    if (this.#late >= MAX_LATE) {
      this.#lookups.inc({ outcome: "shed" });
      return undefined;
    }
    const answer = question().then(
      (value) => ({ outcome: "answered", value }) as const,
      (error: unknown) => {
        logger.warn({ error: messageOf(error) }, failure);
        return { outcome: "failed", value: undefined } as const;
      },
    );
    const { outcome, value } = await within(this.#withinMs, answer);
    this.#lookups.inc({ outcome });
    if (outcome === "late") {
      this.#late += 1;
      void answer.then(() => (this.#late -= 1));
    }
    return value;
  }
}

function within<T>(ms: number, promise: Promise<T>): Promise<T | { readonly outcome: "late"; readonly value: undefined }> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve({ outcome: "late", value: undefined }), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
