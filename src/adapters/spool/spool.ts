import { appendFileSync, close, fdatasync, openSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { ExpectedError } from "../../domain/errors.ts";

export interface SpoolOptions {
  /** Of this process alone. */
  readonly dir: string;
  /** All files together; more is refused. */
  readonly maxBytes: number;
  /** A file that has grown to this is closed; it is the unit in which the disk is given back. */
  readonly segmentBytes: number;
  /** One that is younger stays, though nothing of it is needed: a new file for each call would cost more than it gives back. */
  readonly segmentSeconds: number;
}

interface Segment {
  readonly id: number;
  bytes: number;
  /** Lines that are still needed, those set aside included. */
  needed: number;
  /** Lines that nobody holds in memory: they are needed until they were read again. */
  aside: number;
}

interface Active {
  readonly segment: Segment;
  readonly file: number;
  /** Of performance.now(). */
  readonly since: number;
}

interface Line {
  readonly text: string;
  readonly resolve: (segment: number) => void;
  readonly reject: (error: unknown) => void;
}

const NAME = /^([0-9]{1,15})\.jsonl$/;

/**
 * Lines on disk that outlive the process: append-only files, one after the other, each removed when nobody needs a line of it any
 * more. What is appended within one turn of the event loop is one write, made at the end of that turn and waited for: into the kernel's memory it
 * takes microseconds, a tenth of what it costs to have it done by another thread. The disk itself is left to other threads. A line that was torn
 * (crash, full disk) is left out when read.
 */
export class Spool {
  readonly #options: SpoolOptions;
  readonly #segments = new Map<number, Segment>();
  /** To be read: written by an earlier process, or with lines set aside. Oldest first. */
  readonly #unread: number[] = [];
  #next = 1;
  #active: Active | undefined;
  #lines: Line[] = [];
  #working: Promise<void> = Promise.resolve();
  #synced = true;

  private constructor(options: SpoolOptions) {
    this.#options = options;
  }

  /** @throws when the folder can neither be made nor read */
  static async open(options: SpoolOptions): Promise<Spool> {
    const spool = new Spool(options);
    await mkdir(options.dir, { recursive: true, mode: 0o700 });
    const ids = (await readdir(options.dir)).flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number);
    for (const id of ids.sort((a, b) => a - b)) {
      const { size } = await stat(spool.#path(id));
      spool.#segments.set(id, { id, bytes: size, needed: 1, aside: 1 });
      spool.#unread.push(id);
    }
    spool.#next = (spool.#unread.at(-1) ?? 0) + 1;
    return spool;
  }

  /** On disk. */
  get bytes(): number {
    return [...this.#segments.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get hasUnread(): boolean {
    return this.#unread.length > 0;
  }

  /**
   * @param text one line
   * @returns the segment it is in, for `done`
   * @throws when it can't be written: disk full, folder gone, or `maxBytes` reached
   */
  append(text: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#lines.push({ text, resolve, reject });
      if (this.#lines.length === 1) queueMicrotask(() => this.#write());
    });
  }

  /** `lines` of the segment are not needed any more. */
  done(id: number, lines = 1): void {
    const segment = this.#segments.get(id);
    if (segment === undefined) return;
    segment.needed -= lines;
    if (segment.needed <= 0) void this.#inTurn(() => this.#discard(segment));
  }

  /** A line of the segment is not held in memory: it is read again, in its turn. */
  setAside(id: number): void {
    const segment = this.#segments.get(id);
    if (segment === undefined) return;
    segment.aside += 1;
    if (!this.#unread.includes(id)) this.#unread.push(id);
  }

  /**
   * All lines of the oldest unread segment, each needed until `done`; those that the caller holds already come once more.
   * A segment that can't be read stays on the disk for the next process.
   */
  async readNext(): Promise<{ readonly segment: number; readonly lines: readonly string[] } | undefined> {
    const segment = this.#segments.get(this.#unread.shift() ?? 0);
    if (segment === undefined) return undefined;
    return this.#inTurn(async () => {
      if (this.#active?.segment === segment) this.#leave();
      const text = await readFile(this.#path(segment.id), "utf8");
      // Behind the last line break is nothing, or what was torn.
      const lines = text.split("\n").slice(0, -1);
      segment.needed += lines.length - segment.aside;
      segment.aside = 0;
      await this.#discard(segment);
      return { segment: segment.id, lines };
    });
  }

  /**
   * What was appended so far and is needed still is on the disk itself afterwards; a file of which nothing is needed is left and removed.
   * One after the other with all that closes a file.
   */
  sync(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#active === undefined) return;
      if (this.#active.segment.needed <= 0) {
        if (performance.now() - this.#active.since >= this.#options.segmentSeconds * 1000) this.#leave();
        return;
      }
      if (this.#synced) return;
      this.#synced = true;
      await toDisk(this.#active.file);
    });
  }

  async close(): Promise<void> {
    this.#leave();
    await this.#inTurn(() => Promise.resolve());
  }

  /** One after the other: a file is not closed while it is read or brought to the disk. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#working.then(work);
    this.#working = result.then(() => undefined, () => undefined);
    return result;
  }

  #write(): void {
    const lines = this.#lines;
    this.#lines = [];
    try {
      const data = Buffer.from(lines.map(({ text }) => `${text}\n`).join(""));
      const { segment, file } = this.#writable(data.length);
      // Counted first: what is torn still takes its place on the disk.
      segment.bytes += data.length;
      appendFileSync(file, data);
      segment.needed += lines.length;
      this.#synced = false;
      lines.forEach((line) => line.resolve(segment.id));
    } catch (error) {
      // The next line goes to a new file, never behind half a line.
      this.#leave();
      lines.forEach((line) => line.reject(error));
    }
  }

  #writable(bytes: number): Active {
    if (this.bytes + bytes > this.#options.maxBytes) {
      throw new ExpectedError("Unavailable", `the spool has reached its limit of ${this.#options.maxBytes} bytes`);
    }
    if (this.#active !== undefined && this.#active.segment.bytes >= this.#options.segmentBytes) this.#leave();
    this.#active ??= this.#create();
    return this.#active;
  }

  #create(): Active {
    const segment: Segment = { id: this.#next, bytes: 0, needed: 0, aside: 0 };
    const file = openSync(this.#path(segment.id), "ax", 0o600);
    this.#next += 1;
    this.#segments.set(segment.id, segment);
    return { segment, file, since: performance.now() };
  }

  /** What comes next goes to a new file; this one is closed in its turn, which nobody waits for but the end. */
  #leave(): void {
    const active = this.#active;
    if (active === undefined) return;
    this.#active = undefined;
    void this.#inTurn(async () => {
      if (active.segment.needed > 0) await toDisk(active.file).catch(() => undefined);
      await closeFile(active.file).catch(() => undefined);
      if (active.segment.needed <= 0) await this.#discard(active.segment);
    });
  }

  /** A small file that is being written stays until `sync` finds it old enough. */
  async #discard(segment: Segment): Promise<void> {
    if (segment.needed > 0) return;
    if (this.#active?.segment === segment) {
      if (segment.bytes >= this.#options.segmentBytes) this.#leave();
      return;
    }
    this.#segments.delete(segment.id);
    // What can't be removed is read once more by the next process, which does no harm.
    await rm(this.#path(segment.id), { force: true }).catch(() => undefined);
  }

  #path(id: number): string {
    return join(this.#options.dir, `${String(id).padStart(12, "0")}.jsonl`);
  }
}

/** What was written outlives the process without this; it is for the loss of power. */
const toDisk = promisify(fdatasync);
const closeFile = promisify(close);
