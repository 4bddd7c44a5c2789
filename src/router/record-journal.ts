import { messageOf } from "../domain/errors.ts";
import type { Logger } from "../domain/ports.ts";
import type { CallRecord } from "../domain/types.ts";
import { repeat, type Repeated } from "../shared/repeat.ts";
import { throttle } from "../shared/throttle.ts";
import { Spool, type SpoolOptions } from "../adapters/spool/spool.ts";
import type { RouterMetrics } from "./metrics.ts";
import { parseRecordText, recordText } from "./record-text.ts";

/** Where a record lies on the disk; null when it could not be put there. */
export type Place = number | null;

/** Records on disk until the database has them. Never throws: a disk that is full costs the copy, not the call. */
export interface RecordJournal {
  append(record: CallRecord): Promise<Place>;
  /** The database has it. */
  done(place: Place): void;
  /** It is not kept in memory: `readNext` brings it. */
  setAside(place: Place): void;
  readonly hasUnread: boolean;
  /** What an earlier process left is known, or can't be known. */
  readonly opened: Promise<void>;
  /** Records of an earlier process or set aside, oldest first; the last state of each call. */
  readNext(): Promise<readonly { readonly record: CallRecord; readonly place: Place }[]>;
  close(): Promise<void>;
}

/** For a router without a folder to write to: records are lost with the process. */
export const noJournal: RecordJournal = {
  append: () => Promise.resolve(null),
  done: () => undefined,
  setAside: () => undefined,
  hasUnread: false,
  opened: Promise.resolve(),
  readNext: () => Promise.resolve([]),
  close: () => Promise.resolve(),
};

/** The database has most records within milliseconds; what it has not by then is worth a write to the disk itself, and what it has is removed. */
const SYNC_MS = 1_000;
const REOPEN_MS = 5_000;
const SAY_AGAIN_MS = 30_000;

export function diskJournal(options: SpoolOptions, logger: Logger, metrics: RouterMetrics): RecordJournal {
  return new DiskJournal(options, logger, metrics);
}

class DiskJournal implements RecordJournal {
  readonly #options: SpoolOptions;
  readonly #logger: Logger;
  readonly #metrics: RouterMetrics;
  #spool: Spool | undefined;
  readonly opened: Promise<void>;
  /** The folder is being looked at: there may be records of an earlier process in it. */
  #unknown = true;
  #opening: Promise<Spool>;
  #triedAt = performance.now();
  readonly #say: (error: unknown) => void;
  readonly #syncing: Repeated;

  constructor(options: SpoolOptions, logger: Logger, metrics: RouterMetrics) {
    this.#options = options;
    this.#logger = logger;
    this.#metrics = metrics;
    const say = (error: unknown) => logger.error({ dir: options.dir, error: messageOf(error) }, "the spool can't be written: call records are only in memory until the database has them");
    this.#say = throttle(say, SAY_AGAIN_MS);
    this.#opening = this.#open();
    this.opened = this.#opening.then(() => undefined, () => undefined).then(() => void (this.#unknown = false));
    this.#syncing = repeat(() => this.#sync(), { everyMs: SYNC_MS, failed: (error) => this.#failed(error) });
  }

  get hasUnread(): boolean {
    return this.#spool?.hasUnread ?? this.#unknown;
  }

  async append(record: CallRecord): Promise<Place> {
    try {
      const spool = await this.#opened();
      const place = await spool.append(recordText(record));
      this.#metrics.spoolBytes.set(spool.bytes);
      return place;
    } catch (error) {
      this.#failed(error);
      return null;
    }
  }

  done(place: Place): void {
    if (place !== null) this.#spool?.done(place);
  }

  setAside(place: Place): void {
    if (place !== null) this.#spool?.setAside(place);
  }

  async readNext(): Promise<readonly { readonly record: CallRecord; readonly place: Place }[]> {
    try {
      const spool = await this.#opened();
      const read = await spool.readNext();
      return read === undefined ? [] : this.#lastStates(spool, read);
    } catch (error) {
      this.#failed(error);
      return [];
    }
  }

  async close(): Promise<void> {
    await this.#syncing.stop();
    await this.#spool?.close().catch((error: unknown) => this.#failed(error));
  }

  async #sync(): Promise<void> {
    if (this.#spool === undefined) return;
    await this.#spool.sync();
    this.#metrics.spoolBytes.set(this.#spool.bytes);
  }

  #lastStates(spool: Spool, { segment, lines }: { readonly segment: number; readonly lines: readonly string[] }): { record: CallRecord; place: Place }[] {
    const records = new Map<string, CallRecord>();
    for (const record of lines.map(parseRecordText)) {
      if (record !== undefined) records.set(record.id, record);
    }
    spool.done(segment, lines.length - records.size);
    this.#logger.info({ records: records.size, lines: lines.length }, "call records read from the disk");
    return [...records.values()].map((record) => ({ record, place: segment }));
  }

  /** A folder that is not there or can't be written may become usable. */
  #opened(): Promise<Spool> {
    if (this.#spool === undefined && performance.now() - this.#triedAt > REOPEN_MS) this.#opening = this.#open();
    return this.#opening;
  }

  #open(): Promise<Spool> {
    this.#triedAt = performance.now();
    const opening = Spool.open(this.#options).then((spool) => (this.#spool = spool));
    opening.catch((error: unknown) => this.#failed(error));
    return opening;
  }

  #failed(error: unknown): void {
    this.#metrics.spoolRefused.inc();
    this.#say(error);
  }
}
