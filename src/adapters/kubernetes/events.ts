import { randomBytes } from "node:crypto";
import { messageOf } from "../../domain/errors.ts";
import type { Clock, Logger } from "../../domain/ports.ts";
import { ContentType, type KubeClient } from "./client.ts";
import { microTime } from "./lease.ts";
import { isConflict, isNotFound } from "./kube-error.ts";
import { apiVersionOf, collectionPath } from "./objects.ts";
import type { ObjectRef } from "./status.ts";
import { TokenBuckets } from "./token-buckets.ts";

/** Something a person should act on. Holds no secret and no caller's number: many may read Events. */
export interface EventInput {
  readonly regarding: ObjectRef;
  readonly type: "Normal" | "Warning";
  /** CamelCase, from a fixed set. */
  readonly reason: string;
  /** What was being done, CamelCase. */
  readonly action: string;
  readonly note: string;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `dialplane.io/operator`. */
  readonly controller: string;
  /** The pod's name. */
  readonly instance: string;
  /** How often the count of a repeated event is written. */
  readonly seriesMs?: number;
  readonly monotonic?: () => number;
}

interface Series {
  readonly input: EventInput;
  readonly name: string;
  count: number;
  /** Whether it was POSTed. */
  stored: boolean;
  unwritten: boolean;
  /** In a row. */
  failures: number;
  lastAt: Date;
  lastUsed: number;
}

const EVENTS = { group: "events.k8s.io", version: "v1", plural: "events" } as const;
const SERIES_MILLISECONDS = 60_000;
/** An Event lives an hour in the API server; a series that was silent this long begins anew. */
const FORGET_MILLISECONDS = 30 * 60_000;
/** An Event that can't be written so often (no right to, or its namespace is going) is let go; one of its kind that comes later is tried again. */
const MAX_TRIES = 5;
/** Limits of the API. */
const MAX_NOTE = 1_024;
const MAX_INSTANCE = 128;
/** Different events an object may cause at once, and minutes until one more: as client-go's spam filter. */
const BURST = { size: 25, refillMs: 5 * 60_000 } as const;

/**
 * Records events.k8s.io/v1 Events, best effort and never in anybody's way: what repeats becomes one Event with a count, written at
 * most once a minute; what floods is cut an object. Failures are logged only.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();
  readonly #buckets: TokenBuckets;
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#buckets = new TokenBuckets({ ...BURST, monotonic: () => this.#now() });
  }

  record(input: EventInput): void {
    if (this.#stopped) return;
    const key = [input.regarding.uid, input.type, input.reason, input.action, input.note].join("\0");
    const known = this.#series.get(key);
    if (known === undefined && !this.#buckets.take(input.regarding.uid)) return;
    const series = known ?? this.#begin(input, key);
    series.count += 1;
    series.lastAt = this.#options.clock.now();
    series.lastUsed = this.#now();
    series.unwritten = true;
    // The first at once, repetitions with the next round.
    if (known === undefined) this.#queue([series]);
    this.#timer ??= setInterval(() => this.#round(), this.#options.seriesMs ?? SERIES_MILLISECONDS).unref();
  }

  /** Writes what was counted and not yet written, then records nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#round();
    await this.#writing;
  }

  #begin(input: EventInput, key: string): Series {
    const name = `${input.regarding.name.slice(0, 200)}.${randomBytes(8).toString("hex")}`;
    const series: Series = { input, name, count: 0, stored: false, unwritten: true, failures: 0, lastAt: this.#options.clock.now(), lastUsed: this.#now() };
    this.#series.set(key, series);
    return series;
  }

  #round(): void {
    const old = this.#now() - FORGET_MILLISECONDS;
    for (const [key, series] of this.#series) if (series.lastUsed < old && !series.unwritten) this.#series.delete(key);
    this.#queue([...this.#series.values()].filter((series) => series.unwritten));
  }

  #queue(batch: readonly Series[]): void {
    this.#writing = this.#writing.then(async () => {
      for (const series of batch) await this.#write(series);
    });
  }

  async #write(series: Series): Promise<void> {
    if (!series.unwritten) return;
    series.unwritten = false;
    try {
      const patched = series.stored && (await this.#patch(series));
      if (!patched) await this.#post(series);
      series.stored = true;
      series.failures = 0;
    } catch (error) {
      series.failures += 1;
      series.unwritten = series.failures < MAX_TRIES;
      const { reason, regarding } = series.input;
      this.#options.logger.warn({ reason, object: `${regarding.kind} ${regarding.namespace ?? ""}/${regarding.name}`, error: messageOf(error) }, "event not recorded");
    }
  }

  async #post({ input, name, count, lastAt }: Series): Promise<void> {
    const { regarding, type, reason, action, note } = input;
    const { client, controller, instance } = this.#options;
    const namespace = regarding.namespace ?? "default";
    const at = microTime(lastAt);
    const apiVersion = apiVersionOf(regarding.type);
    const body = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name, namespace },
      eventTime: at,
      reportingController: controller,
      reportingInstance: instance.slice(0, MAX_INSTANCE),
      ...{ type, reason, action, note: clip(note) },
      regarding: { apiVersion, kind: regarding.kind, namespace: regarding.namespace, name: regarding.name, uid: regarding.uid },
      ...(count > 1 ? { series: { count, lastObservedTime: at } } : {}),
    };
    try {
      await client.request({ method: "POST", path: collectionPath(EVENTS, namespace), body });
    } catch (error) {
      // Stored by a request whose answer was lost: the name is ours alone.
      if (!isConflict(error)) throw error;
    }
  }

  /** False when the API server has forgotten it. */
  async #patch({ input, name, count, lastAt }: Series): Promise<boolean> {
    const path = `${collectionPath(EVENTS, input.regarding.namespace ?? "default")}/${name}`;
    const body = { series: { count, lastObservedTime: microTime(lastAt) } };
    try {
      await this.#options.client.request({ method: "PATCH", path, contentType: ContentType.MergePatch, body });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  #now(): number {
    return (this.#options.monotonic ?? (() => performance.now()))();
  }
}

/** The limit counts bytes. */
function clip(note: string): string {
  const bytes = Buffer.from(note.replace(/\p{Cc}/gu, " "));
  return bytes.length <= MAX_NOTE ? bytes.toString() : `${new TextDecoder().decode(bytes.subarray(0, MAX_NOTE - 6)).replace(/\uFFFD$/, "")}...`;
}
