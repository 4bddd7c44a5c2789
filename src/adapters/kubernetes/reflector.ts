import { messageOf } from "../../domain/errors.ts";
import type { Logger } from "../../domain/ports.ts";
import { backoffMs, pause, type Backoff } from "../../shared/backoff.ts";
import { Store, type StoreEvent, type Transform } from "./cache/store.ts";
import type { KubeClient, Query } from "./client.ts";
import { isGone, KubeError } from "./kube-error.ts";
import { listAll } from "./list.ts";
import { parseWatchEvent } from "./watch-event.ts";

export interface ReflectorOptions {
  readonly client: KubeClient;
  /** Path of the collection (`collectionPath`). */
  readonly path: string;
  readonly query?: { readonly fieldSelector?: string; readonly labelSelector?: string };
  readonly logger: Logger;
  /** Called for every change in order, deletes that nobody saw included. What it throws is logged; the cache is right anyway. */
  readonly onEvent: (event: StoreEvent) => void;
  /** Called once, after the first whole list was told. */
  readonly onSync?: () => void;
  /** Called after a failure, and when what failed works again. */
  readonly onState?: () => void;
  readonly transform?: Transform;
  /** Objects a page. */
  readonly pageSize?: number;
  /** How long the server keeps a watch open; drawn at random between the two, so that watches do not end together. */
  readonly watchSeconds?: { readonly least: number; readonly most: number };
  /** Without a byte for this long a watch counts as dead. API servers send a bookmark about once a minute. */
  readonly quietMs?: number;
  readonly backoff?: Backoff;
  readonly random?: () => number;
}

/** What can be said about a reflector for readiness and metrics. */
export interface ReflectorState {
  /** Everything that was there at some moment since the start is known. */
  readonly synced: boolean;
  /** A watch is open: what is known is what is there, but for the way here. */
  readonly watching: boolean;
  /** Failures in a row; 0 while all is well. */
  readonly failures: number;
  readonly lastError: KubeError | undefined;
  /** Whole lists read. */
  readonly lists: number;
  /** Watches opened. */
  readonly watches: number;
}

type Tunable = "pageSize" | "watchSeconds" | "quietMs" | "backoff" | "random";

const DEFAULTS: Required<Pick<ReflectorOptions, Tunable>> = {
  pageSize: 500,
  watchSeconds: { least: 240, most: 300 },
  quietMs: 90_000,
  // A handful of watchers, each asking every five seconds, is nothing to an API server; being right soon after an outage is much.
  backoff: { firstMs: 200, longestMs: 5_000 },
  random: Math.random,
};

/** A watch that ends sooner without an event did not work. */
const SHORT_WATCH_MILLISECONDS = 1_000;
/** Then the resourceVersion itself is suspect: after a restore of etcd it may lie in the future. */
const FAILURES_BEFORE_LIST = 5;

/**
 * Keeps a copy of a collection: lists it, then watches it, for ever. Every failure is survived with what is known kept:
 * a broken watch goes on where it was, one whose history is gone is replaced by a list and its differences.
 */
export class Reflector {
  readonly store: Store;
  readonly #options: ReflectorOptions & Required<Pick<ReflectorOptions, Tunable>>;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #resourceVersion: string | undefined;
  #synced = false;
  #failures = 0;
  #lastError: KubeError | undefined;
  #lists = 0;
  #watches = 0;
  #watching = false;

  constructor(options: ReflectorOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.store = new Store(options.transform);
  }

  get state(): ReflectorState {
    const [synced, watching, failures, lastError] = [this.#synced, this.#watching, this.#failures, this.#lastError];
    return { synced, watching, failures, lastError, lists: this.#lists, watches: this.#watches };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Silent and final: no event is told after this call. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list();
        await this.#watch(this.#resourceVersion ?? "");
      } catch (error) {
        await this.#recover(error);
      }
    }
  }

  async #list(): Promise<void> {
    const { client, path, query, pageSize } = this.#options;
    const { objects, resourceVersion } = await listAll({ client, path, query: query ?? {}, pageSize, signal: this.#stop.signal });
    this.#lists += 1;
    this.#tell(this.store.replace(objects));
    this.#resourceVersion = resourceVersion;
    if (this.#synced) return;
    this.#synced = true;
    this.#options.logger.info({ path, objects: objects.length }, "collection listed");
    this.#guarded(() => this.#options.onSync?.());
  }

  async #watch(from: string): Promise<void> {
    const { client, path, quietMs } = this.#options;
    const openedAt = performance.now();
    let events = 0;
    try {
      for await (const line of client.watch({ path, query: this.#watchQuery(from), signal: this.#stop.signal, quietMs, onOpen: () => this.#opened() })) {
        events += 1;
        this.#take(line);
        this.#healthy();
      }
    } finally {
      this.#watching = false;
    }
    if (events === 0 && performance.now() - openedAt < SHORT_WATCH_MILLISECONDS) {
      throw new KubeError(0, "Unreachable", "the watch ended as soon as it had begun");
    }
    this.#healthy();
  }

  /** What was known and is open again may still end at once: only what it tells, or that it lasts, ends a row of failures. */
  #opened(): void {
    this.#watching = true;
    this.#watches += 1;
    if (this.#failures > 0) this.#tellState();
  }

  #watchQuery(resourceVersion: string): Query {
    const { query, watchSeconds, random } = this.#options;
    const { least, most } = watchSeconds;
    const timeoutSeconds = Math.round(least + (most - least) * random());
    return { ...query, watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds };
  }

  #take(line: unknown): void {
    const event = parseWatchEvent(line);
    if (event.type === "BOOKMARK") {
      this.#resourceVersion = event.resourceVersion;
      return;
    }
    this.#resourceVersion = event.object.metadata.resourceVersion;
    this.#tell(event.type === "DELETED" ? this.store.remove(event.object) : this.store.put(event.object));
  }

  #tell(events: readonly StoreEvent[]): void {
    for (const event of events) {
      if (this.#stop.signal.aborted) return;
      this.#guarded(() => this.#options.onEvent(event));
    }
  }

  #guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.logger.error({ path: this.#options.path, error: messageOf(error) }, "listener of a collection failed");
    }
  }

  #healthy(): void {
    const recovered = this.#failures > 0;
    this.#failures = 0;
    this.#lastError = undefined;
    if (recovered) this.#tellState();
  }

  #tellState(): void {
    this.#guarded(() => this.#options.onState?.());
  }

  async #recover(error: unknown): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#failures += 1;
    this.#lastError = error instanceof KubeError ? error : new KubeError(0, "Malformed", messageOf(error), { cause: error });
    if (this.#mustList(this.#lastError)) this.#resourceVersion = undefined;
    const { backoff, random, logger, path } = this.#options;
    const asked = (this.#lastError.retryAfterSeconds ?? 0) * 1_000;
    const delayMs = Math.round(Math.max(backoffMs(backoff, this.#failures, random), Math.min(asked, backoff.longestMs)));
    // One connection that breaks is every day's; only what lasts is worth a person's look.
    const say = this.#failures < 3 ? "info" : "warn";
    const { status, reason, message } = this.#lastError;
    logger[say]({ path, status, reason, error: message, failures: this.#failures, retryMilliseconds: delayMs }, "list or watch failed; will retry");
    this.#tellState();
    await pause(delayMs, this.#stop.signal);
  }

  #mustList(error: KubeError): boolean {
    return isGone(error) || error.reason === "Malformed" || this.#failures % FAILURES_BEFORE_LIST === 0;
  }
}
