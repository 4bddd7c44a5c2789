import { setTimeout as sleep } from "node:timers/promises";

import { messageOf } from "../domain/errors.ts";
import type { Logger, RouterStore } from "../domain/ports.ts";
import type { CallRecord } from "../domain/types.ts";
import { doubledMs } from "../shared/backoff.ts";
import type { RouterMetrics } from "./metrics.ts";
import { noJournal, type Place, type RecordJournal } from "./record-journal.ts";

/** Where call records go. Never waits and never throws: a call does not depend on its record. */
export interface RecordSink {
  save(record: CallRecord): void;
  /** Keeps the record on the disk alone until the call is saved: when this process dies before, the next one writes it. */
  keep(record: CallRecord): void;
  readonly waiting: number;
  /** How many times a record was saved. */
  readonly saved: number;
  /** So many of these, counted from the first, the database has: all that was saved until then. null while the disk has more. */
  readonly written: number | null;
  /** True once the database has everything that an earlier process left on the disk. */
  readonly replayed: boolean;
  /** Writes what is left, for at most `withinMs`; resolves with how many the database does not have. */
  stop(withinMs: number): Promise<number>;
}

export interface RecordSinkDeps {
  readonly store: Pick<RouterStore, "saveCall">;
  readonly logger: Logger;
  readonly metrics: RouterMetrics;
  readonly journal?: RecordJournal;
  /** Records in memory at most; more wait on the disk alone. */
  readonly maxInMemory?: number;
}

interface Entry {
  readonly record: CallRecord;
  /** The record was the so many-th to be saved. */
  readonly number: number;
  /** Where on the disk this state is, and the older ones that it replaced. */
  readonly places: readonly (Place | Promise<Place>)[];
}

const MAX_IN_MEMORY = 20_000;
/**
 * The database is asked this often at most. A record that comes alone is written at once; what comes meanwhile is written together, and
 * of a call that moves on meanwhile only the last state: of most calls that is once when the two talk and once when they have ended.
 */
const EVERY_MS = 100;
const AT_ONCE = 200;
/** More waits than is written at once. */
const EVERY_MS_BEHIND = 25;
/** While the database is away, a few ask whether it is back. */
const AT_ONCE_FAILING = 4;
const RETRY = { firstMs: 200, longestMs: 5_000 } as const;

/**
 * Keeps records until the database has them, in memory to be written and on disk to outlive this process. A newer state of the
 * same call replaces an older one that still waits; a replay is harmless, because a record is written by its id and never
 * undoes a newer one.
 */
export class SpooledRecordSink implements RecordSink {
  readonly #store: RecordSinkDeps["store"];
  readonly #logger: Logger;
  readonly #metrics: RouterMetrics;
  readonly #journal: RecordJournal;
  readonly #max: number;
  readonly #queue = new Map<string, Entry>();
  /** Records on the disk that are not saved yet, by call. */
  readonly #kept = new Map<string, Entry["places"]>();
  /** One state of a call at a time, so that an older one can't overtake a newer. */
  readonly #writing = new Map<string, Entry>();
  #saved = 0;
  #soon: NodeJS.Timeout | undefined;
  #wroteAt = -Infinity;
  #reading = false;
  #replayed = false;
  #failures = 0;
  #stopped = false;

  constructor({ store, logger, metrics, journal = noJournal, maxInMemory = MAX_IN_MEMORY }: RecordSinkDeps) {
    this.#store = store;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#journal = journal;
    this.#max = maxInMemory;
    void journal.opened.then(() => this.#readWhenIdle());
  }

  get waiting(): number {
    return this.#queue.size + this.#writing.size;
  }

  get replayed(): boolean {
    return this.#replayed;
  }

  get saved(): number {
    return this.#saved;
  }

  get written(): number | null {
    if (!this.#replayed || this.#journal.hasUnread) return null;
    return [...this.#queue.values(), ...this.#writing.values()].reduce((least, { number }) => Math.min(least, number - 1), this.#saved);
  }

  keep(record: CallRecord): void {
    this.#kept.set(record.id, [...(this.#kept.get(record.id) ?? []), this.#journal.append(record)]);
  }

  save(record: CallRecord): void {
    const place = this.#journal.append(record);
    const kept = this.#kept.get(record.id) ?? [];
    this.#kept.delete(record.id);
    if (this.#queue.size >= this.#max && !this.#queue.has(record.id)) {
      void place.then((known) => this.#onlyOnDisk(record, known, kept));
      return;
    }
    this.#enqueue(record, [...(this.#queue.get(record.id)?.places ?? []), ...kept, place]);
  }

  async stop(withinMs: number): Promise<number> {
    const deadline = performance.now() + withinMs;
    while (this.waiting > 0 && performance.now() < deadline) {
      await sleep(20);
    }
    this.#stopped = true;
    // The last answers of the database free the last lines.
    await sleep(0);
    await this.#journal.close();
    return this.waiting;
  }

  #onlyOnDisk(record: CallRecord, place: Place, kept: Entry["places"]): void {
    if (place !== null) {
      this.#journal.setAside(place);
      this.#free(kept);
      // Memory may have been written before the disk had it.
      void this.#readWhenIdle();
      return;
    }
    this.#metrics.recordsDropped.inc();
    this.#logger.error({ call: record.id, limit: this.#max }, "a call record was lost: too many wait for the database, and the spool can't be written");
  }

  #enqueue(record: CallRecord, places: Entry["places"]): void {
    this.#saved += 1;
    this.#queue.set(record.id, { record, places, number: this.#saved });
    this.#metrics.recordQueue.set(this.waiting);
    this.#writeSoon(EVERY_MS);
  }

  /** @param pause since the last time */
  #writeSoon(pause: number): void {
    if (this.#stopped || this.#soon !== undefined) return;
    this.#soon = setTimeout(() => void this.#writeNow(), Math.max(0, this.#wroteAt + pause - performance.now())).unref();
  }

  async #writeNow(): Promise<void> {
    this.#soon = undefined;
    this.#wroteAt = performance.now();
    const errors = await Promise.all(this.#take().map((entry) => this.#write(entry)));
    const failed = errors.filter((error) => error !== null);
    this.#failures = failed.length > 0 && failed.length === errors.length ? this.#failures + 1 : 0;
    if (failed.length > 0) this.#logger.warn({ records: failed.length, error: failed[0], waiting: this.waiting }, "call records were not written, trying again");
    if (this.#queue.size > 0) this.#writeSoon(failed.length === 0 ? this.#pause() : doubledMs(RETRY, this.#failures + 1));
    else await this.#readWhenIdle();
  }

  #pause(): number {
    return this.#queue.size > AT_ONCE ? EVERY_MS_BEHIND : EVERY_MS;
  }

  /** The disk's turn comes when memory is empty; what comes meanwhile is newer and goes first. */
  async #readWhenIdle(): Promise<void> {
    if (this.waiting > 0 || this.#reading || this.#stopped) return;
    this.#reading = true;
    while (this.waiting === 0 && this.#journal.hasUnread) {
      for (const { record, place } of await this.#journal.readNext()) {
        if (this.#queue.has(record.id)) this.#journal.done(place);
        else this.#enqueue(record, [place]);
      }
    }
    this.#reading = false;
    this.#replayed ||= this.waiting === 0 && !this.#journal.hasUnread;
  }

  #free(places: Entry["places"]): void {
    for (const place of places) void Promise.resolve(place).then((known) => this.#journal.done(known));
  }

  /** In order of arrival; calls that are being written are passed over, and those are few. */
  #take(): readonly Entry[] {
    const entries: Entry[] = [];
    const room = (this.#failures === 0 ? AT_ONCE : AT_ONCE_FAILING) - this.#writing.size;
    for (const entry of this.#stopped ? [] : this.#queue.values()) {
      if (entries.length >= room) break;
      if (!this.#writing.has(entry.record.id)) entries.push(entry);
    }
    for (const entry of entries) {
      this.#queue.delete(entry.record.id);
      this.#writing.set(entry.record.id, entry);
    }
    return entries;
  }

  /** @returns why it was not written, null when it was */
  async #write(entry: Entry): Promise<string | null> {
    const { record, places } = entry;
    try {
      await this.#store.saveCall(record);
      this.#free(places);
      return null;
    } catch (error) {
      const newer = this.#queue.get(record.id);
      this.#queue.set(record.id, newer === undefined ? entry : { ...newer, places: [...places, ...newer.places] });
      return messageOf(error);
    } finally {
      this.#writing.delete(record.id);
      this.#metrics.recordQueue.set(this.waiting);
    }
  }
}
