import { messageOf } from "../../domain/errors.ts";
import type { Logger } from "../../domain/ports.ts";
import { backoffMs, type Backoff } from "./backoff.ts";

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
  readonly handle: (key: string, signal: AbortSignal) => Promise<{ readonly requeueAfterMs: number } | undefined>;
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
  readonly #stop = new AbortController();
  /** Since when each waits, in order. */
  readonly #ready = new Map<string, number>();
  readonly #delayed = new Map<string, { readonly timer: NodeJS.Timeout; readonly dueAt: number }>();
  readonly #working = new Set<string>();
  /** Added while being worked on. */
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #jobs = new Set<Promise<void>>();

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Keys that wait for a worker. */
  get depth(): number {
    return this.#ready.size;
  }

  /** Nothing waits, nothing is delayed, nothing is worked on. */
  get idle(): boolean {
    return this.#ready.size + this.#delayed.size + this.#working.size === 0;
  }

  /** To be worked on now, also when it was delayed. */
  add(key: string): void {
    if (this.#stop.signal.aborted) return;
    this.#undelay(key);
    if (this.#working.has(key)) this.#again.add(key);
    else if (!this.#ready.has(key)) this.#ready.set(key, performance.now());
    this.#dispatch();
  }

  /** To be worked on after this time at the latest; an earlier date that it has already stays. */
  addAfter(key: string, ms: number): void {
    if (this.#stop.signal.aborted || this.#ready.has(key) || this.#again.has(key)) return;
    const dueAt = performance.now() + ms;
    if ((this.#delayed.get(key)?.dueAt ?? Infinity) <= dueAt) return;
    this.#undelay(key);
    this.#delayed.set(key, { dueAt, timer: setTimeout(() => this.add(key), ms) });
  }

  /** Takes no more keys, tells running work by its signal, and waits for it. */
  async stop(): Promise<void> {
    this.#stop.abort();
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
    let failed = false;
    let againAfter: number | undefined;
    try {
      const result = await this.#options.handle(key, this.#stop.signal);
      this.#failures.delete(key);
      againAfter = result?.requeueAfterMs;
    } catch (error) {
      failed = true;
      againAfter = this.#backOff(key, error);
    }
    this.#options.metrics?.handled(performance.now() - startedAt, failed ? "failure" : "success");
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
    if (this.#stop.signal.aborted) return delayMs;
    metrics?.retried();
    const fields = { queue: name, key, failures, retryMilliseconds: Math.round(delayMs), error: messageOf(error) };
    logger.warn(fields, "work failed; will retry");
    return delayMs;
  }
}
