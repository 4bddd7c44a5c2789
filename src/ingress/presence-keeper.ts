import { messageOf } from "../domain/errors.ts";
import type { Logger, Presence } from "../domain/ports.ts";
import type { Uuid } from "../domain/types.ts";

/** Bounds the size of one statement; 10,000 UUIDs are 160 kB. */
const maxBatch = 10_000;

/**
 * Tells Postgres which devices are online: those with an open stream again and again, those that were heard of once.
 * All devices of a moment share one statement; only one is under way at a time, whatever comes meanwhile joins the next.
 */
export class PresenceKeeper {
  readonly #presence: Presence;
  readonly #logger: Logger;
  readonly #ttlSeconds: number;
  readonly #timer: NodeJS.Timeout;
  /** Open streams of this process by device. */
  readonly #streams = new Map<Uuid, number>();
  /** What the last heartbeat of a device with a stream answered. */
  readonly #until = new Map<Uuid, Date>();
  #heard = new Set<Uuid>();
  /** Devices that said so themselves. */
  #gone = new Set<Uuid>();
  /** Devices whose last stream here ended; another replica may have the next one already. */
  #ended = new Set<Uuid>();
  #writing: Promise<void> | undefined;

  constructor(presence: Presence, logger: Logger, times: { readonly ttlSeconds: number; readonly heartbeatSeconds: number }) {
    this.#presence = presence;
    this.#logger = logger;
    this.#ttlSeconds = times.ttlSeconds;
    this.#timer = setInterval(() => this.#beat(), times.heartbeatSeconds * 1000);
    this.#timer.unref();
  }

  streamsOf(device: Uuid): number {
    return this.#streams.get(device) ?? 0;
  }

  opened(device: Uuid): void {
    this.#streams.set(device, this.streamsOf(device) + 1);
    this.heard(device);
  }

  closed(device: Uuid): void {
    const left = this.streamsOf(device) - 1;
    if (left > 0) {
      this.#streams.set(device, left);
      return;
    }
    this.#streams.delete(device);
    this.#heard.delete(device);
    this.#ended.add(device);
    this.#write();
  }

  heard(device: Uuid): void {
    this.#gone.delete(device);
    this.#ended.delete(device);
    this.#heard.add(device);
    this.#write();
  }

  /** Ignored while the device has a stream here: then another tab or the next page is there already. */
  left(device: Uuid): void {
    if (this.#streams.has(device)) return;
    this.#heard.delete(device);
    this.#gone.add(device);
    this.#write();
  }

  /** Resolves when everything known so far is written, or failed and logged. */
  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.settled();
  }

  #beat(): void {
    for (const device of this.#streams.keys()) this.#heard.add(device);
    this.#write();
  }

  #write(): void {
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    // Whatever happens in the same turn of the event loop travels together.
    await Promise.resolve();
    while (this.#heard.size + this.#gone.size + this.#ended.size > 0) {
      const [heard, gone, ended] = [[...this.#heard], [...this.#gone], [...this.#ended]];
      this.#heard = new Set();
      this.#gone = new Set();
      this.#ended = new Set();
      try {
        await inBatches(heard, async (devices) => this.#keep(devices, await this.#presence.heartbeat(devices, this.#ttlSeconds)));
        await inBatches(gone, (devices) => this.#presence.offline(devices));
        await inBatches(ended, (devices) => this.#end(devices));
      } catch (error) {
        // Devices with a stream are written again with the next beat; the others count as offline a little early or late.
        this.#logger.warn({ reason: messageOf(error), devices: heard.length + gone.length + ended.length }, "presence could not be written");
      } finally {
        this.#forget(ended);
      }
    }
  }

  #keep(devices: readonly Uuid[], until: Date): void {
    for (const device of devices) if (this.#streams.has(device) || this.#ended.has(device)) this.#until.set(device, until);
  }

  #forget(ended: readonly Uuid[]): void {
    for (const device of ended) if (!this.#streams.has(device) && !this.#ended.has(device)) this.#until.delete(device);
  }

  /** Devices that were never written have nothing to take back, and those with a new stream here are online. */
  #end(devices: readonly Uuid[]): Promise<void> {
    const written = devices.flatMap((device) => {
      const until = this.#until.get(device);
      return until === undefined || this.#streams.has(device) ? [] : [{ device, until }];
    });
    return this.#presence.offline(written.map(({ device }) => device), written.map(({ until }) => until));
  }
}

async function inBatches(devices: readonly Uuid[], write: (devices: readonly Uuid[]) => Promise<void> | void): Promise<void> {
  for (let start = 0; start < devices.length; start += maxBatch) {
    await write(devices.slice(start, start + maxBatch));
  }
}
