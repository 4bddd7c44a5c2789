import { setTimeout as sleep } from "node:timers/promises";

import { messageOf } from "../domain/errors.ts";
import type { Logger, RouterStore } from "../domain/ports.ts";
import type { CallRecord } from "../domain/types.ts";
import type { RouterMetrics } from "./metrics.ts";

/** Where call records go. Never waits and never throws: a call does not depend on its record. */
export interface RecordSink {
  save(record: CallRecord): void;
  readonly waiting: number;
  /** Writes what is left, for at most `withinMs`; resolves with how many were not written. */
  stop(withinMs: number): Promise<number>;
}

const MAX_WAITING = 50_000;
const WRITERS = 4;
const RETRY_MS = { first: 200, max: 5_000 };

/**
 * Keeps records in memory until the database has them. A newer state of the same call replaces an older one that still
 * waits; a replay is harmless, because a record is written by its id and never undoes a newer one.
 */
export class MemoryRecordSink implements RecordSink {
  readonly #store: Pick<RouterStore, "saveCall">;
  readonly #logger: Logger;
  readonly #metrics: RouterMetrics;
  readonly #queue = new Map<string, CallRecord>();
  /** One state of a call at a time, so that an older one can't overtake a newer. */
  readonly #writing = new Set<string>();
  #writers = 0;
  #failures = 0;
  #stopped = false;

  constructor(store: Pick<RouterStore, "saveCall">, logger: Logger, metrics: RouterMetrics) {
    this.#store = store;
    this.#logger = logger;
    this.#metrics = metrics;
  }

  get waiting(): number {
    return this.#queue.size + this.#writing.size;
  }

  save(record: CallRecord): void {
    if (this.#queue.size >= MAX_WAITING && !this.#queue.has(record.id)) {
      this.#metrics.recordsDropped.inc();
      this.#logger.error({ call: record.id, limit: MAX_WAITING }, "a call record was lost: too many wait for the database");
      return;
    }
    this.#queue.set(record.id, record);
    this.#metrics.recordQueue.set(this.waiting);
    if (this.#writers < WRITERS) void this.#drain();
  }

  async stop(withinMs: number): Promise<number> {
    const deadline = performance.now() + withinMs;
    while (this.waiting > 0 && performance.now() < deadline) {
      await sleep(20);
    }
    this.#stopped = true;
    return this.waiting;
  }

  async #drain(): Promise<void> {
    this.#writers += 1;
    for (let record = this.#take(); record !== undefined; record = this.#take()) {
      await this.#write(record);
    }
    this.#writers -= 1;
  }

  #take(): CallRecord | undefined {
    const record = this.#stopped ? undefined : this.#next();
    if (record !== undefined) {
      this.#queue.delete(record.id);
      this.#writing.add(record.id);
    }
    return record;
  }

  /** The queue is in order of arrival; only calls that are being written are passed over, and those are few. */
  #next(): CallRecord | undefined {
    for (const record of this.#queue.values()) {
      if (!this.#writing.has(record.id)) return record;
    }
    return undefined;
  }

  async #write(record: CallRecord): Promise<void> {
    try {
      await this.#store.saveCall(record);
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      if (!this.#queue.has(record.id)) this.#queue.set(record.id, record);
      this.#logger.warn({ call: record.id, error: messageOf(error), waiting: this.waiting }, "a call record was not written, trying again");
      await sleep(Math.min(RETRY_MS.max, RETRY_MS.first * 2 ** Math.min(this.#failures, 10)), undefined, { ref: false });
    } finally {
      this.#writing.delete(record.id);
      this.#metrics.recordQueue.set(this.waiting);
    }
  }
}
