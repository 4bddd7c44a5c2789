import { messageOf } from "../../domain/errors.ts";
import type { Logger } from "../../domain/ports.ts";
import { backoffMs, type Backoff } from "../../shared/backoff.ts";

/** Called as things happen; cheap. */
export interface WorkQueueMetrics {
  /** Keys waiting for a worker now. */
  depth(keys: number): void;
  /** From add to the start of its work. */
  waited(ms: number): void;
  handled(ms: number, outcome: "success" | "failure"): void;
  retried(): void;
}

export interface WorkQueueOptions {
  readonly name: string;
  /** Brings one key's object to where it should be, whatever happened to it. A failure is retried. */
  readonly handle: (key: string) => Promise<void>;
  readonly logger: Logger;
  readonly workers?: number;
  readonly backoff?: Backoff;
  readonly metrics?: WorkQueueMetrics;
  readonly random?: () => number;
}

const DEFAULT_BACKOFF: Backoff = { firstMs: 5, longestMs: 300_000 };

/**
 * Keys to be worked on, each at most once at a time and once in the queue. A key added during its own work is worked on again after it.
 * A key whose work fails waits longer and longer, and delays no other.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** Since when each waits, in order. */
  readonly #ready = new Map<string, number>();
  readonly #delayed = new Map<string, { readonly timer: NodeJS.Timeout; readonly dueAt: number }>();
  readonly #working = new Set<string>();
  /** Added while being worked on. */
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #jobs = new Set<Promise<void>>();
  #stopped = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** To be worked on now, also when it was delayed. */
  add(key: string): void {
    if (this.#stopped) return;
    this.#undelay(key);
    if (this.#working.has(key)) this.#again.add(key);
    else if (!this.#ready.has(key)) this.#ready.set(key, performance.now());
    this.#dispatch();
  }

  /** To be worked on after this time at the latest; an earlier date that it has already stays. */
  addAfter(key: string, ms: number): void {
    if (this.#stopped || this.#ready.has(key) || this.#again.has(key)) return;
    const dueAt = performance.now() + ms;
    if ((this.#delayed.get(key)?.dueAt ?? Infinity) <= dueAt) return;
    this.#undelay(key);
    this.#delayed.set(key, { dueAt, timer: setTimeout(() => this.add(key), ms) });
  }

  /** Takes no more keys, and waits for the work that runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const key of [...this.#delayed.keys()]) this.#undelay(key);
    this.#ready.clear();
    this.#again.clear();
    await Promise.all(this.#jobs);
  }

  #undelay(key: string): void {
    clearTimeout(this.#delayed.get(key)?.timer);
    this.#delayed.delete(key);
  }

  #dispatch(): void {
    const { workers = 1, metrics } = this.#options;
    for (const [key, since] of this.#ready) {
      if (this.#working.size >= workers) break;
      this.#ready.delete(key);
      metrics?.waited(performance.now() - since);
      const job = this.#work(key).finally(() => this.#jobs.delete(job));
      this.#jobs.add(job);
    }
    metrics?.depth(this.#ready.size);
  }

  async #work(key: string): Promise<void> {
    this.#working.add(key);
    const startedAt = performance.now();
    let againAfter: number | undefined;
    try {
      await this.#options.handle(key);
      this.#failures.delete(key);
    } catch (error) {
      againAfter = this.#backOff(key, error);
    }
    this.#options.metrics?.handled(performance.now() - startedAt, againAfter === undefined ? "success" : "failure");
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
    else if (againAfter !== undefined) this.addAfter(key, againAfter);
    this.#dispatch();
  }

  #backOff(key: string, error: unknown): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const { name, logger, metrics, backoff = DEFAULT_BACKOFF, random } = this.#options;
    const delayMs = backoffMs(backoff, failures, random);
    if (this.#stopped) return delayMs;
    metrics?.retried();
    const fields = { queue: name, key, failures, retryMilliseconds: Math.round(delayMs), error: messageOf(error) };
    logger.warn(fields, "work failed; will retry");
    return delayMs;
  }
}
