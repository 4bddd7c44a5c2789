import { ResourceEventType } from "../adapters/kubernetes/dot-i.ts";
import type { EventRecorder } from "../adapters/kubernetes/events.ts";
import { TYPES } from "../adapters/kubernetes/kinds.ts";
import type { KubeObject } from "../adapters/kubernetes/objects.ts";
import { LAG_MILLISECONDS, type ObjectRef, type StatusWriter } from "../adapters/kubernetes/status.ts";
import { WorkQueue, type WorkQueueMetrics } from "../adapters/kubernetes/work-queue.ts";
import type { Condition } from "../domain/api.generated.ts";
import { terminatingConditions, unprotectedConditions, unreadableConditions } from "../domain/conditions-kinds.ts";
import { noticesOf } from "../domain/notices.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import type { ResourceKind } from "../domain/resources.ts";
import type { ResourceStatus } from "../domain/statuses.ts";
import { departureOf, type Meaning } from "./declared-objects.ts";
import type { Known, KubernetesSource } from "./kubernetes-source.ts";
import type { ObservedObject } from "./metrics.ts";
import { POOL_FINALIZER } from "./names.ts";

export interface StatusPublisherOptions {
  readonly source: KubernetesSource;
  readonly writer: StatusWriter;
  readonly events: Pick<EventRecorder, "record">;
  readonly isLeader: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: WorkQueueMetrics;
  /** What comes right by itself in this time is nobody's business: manifests arrive one after the other. */
  readonly noticeAfterMs: number;
}

/** Status writes wait for the API server, not for us. */
const WORKERS = 16;
/** Mostly what is deleted is gone by then, and needs no status. */
const DEPARTURE_MILLISECONDS = 1_000;

/** Writes the statuses of objects, each on its own: the newest of an object counts, and one that can't be written holds up no other. */
export class StatusPublisher {
  readonly #options: StatusPublisherOptions;
  readonly #queue: WorkQueue;
  readonly #notices: WorkQueue;
  readonly #unwatch: () => void;
  /** By uid: the conditions as people were last told of them. */
  readonly #told = new Map<string, readonly Condition[]>();
  /** By uid: what the status has to be. */
  #wanted: ReadonlyMap<string, ResourceStatus> = new Map();

  constructor(options: StatusPublisherOptions) {
    this.#options = options;
    const { logger, metrics, source } = options;
    this.#queue = new WorkQueue({ name: "statuses", handle: (uid) => this.#handle(uid), logger, workers: WORKERS, ...(metrics === undefined ? {} : { metrics }) });
    this.#notices = new WorkQueue({ name: "notices", handle: (uid) => this.#tell(uid), logger });
    // Whatever was written over our status is put right.
    this.#unwatch = source.watchObjects((known, event) => {
      if (event === ResourceEventType.Deleted) this.#forget(known.object.metadata.uid);
      else this.#consider(known);
    });
    // Nobody publishes those that take no part.
    for (const known of source.all()) if (known.meaning.state !== "declared") this.#consider(known);
  }

  /** A status that is the same object as before was dealt with. */
  publish(statuses: readonly ResourceStatus[]): void {
    const before = this.#wanted;
    this.#wanted = new Map(statuses.map((status) => [status.metadata.uid, status]));
    for (const [uid, status] of this.#wanted) if (before.get(uid) !== status) this.#queue.add(uid);
  }

  /** Everything that is there, as it was last said to be. */
  *observed(): Iterable<ObservedObject> {
    for (const known of this.#options.source.all()) {
      const status = this.#statusOf(known);
      const { namespace = "", name } = known.object.metadata;
      if (status !== undefined) yield { kind: known.kind, namespace, name, status };
    }
  }

  async stop(): Promise<void> {
    this.#unwatch();
    await Promise.all([this.#queue.stop(), this.#notices.stop()]);
  }

  #consider({ object, meaning }: Known): void {
    const { uid } = object.metadata;
    if (isDeparting(meaning)) this.#queue.addAfter(uid, DEPARTURE_MILLISECONDS);
    else this.#queue.add(uid);
  }

  #forget(uid: string): void {
    this.#options.writer.forget(uid);
    this.#told.delete(uid);
  }

  async #handle(uid: string): Promise<void> {
    const { source, writer, isLeader } = this.#options;
    const known = source.get(uid);
    const status = known === undefined ? undefined : this.#statusOf(known);
    if (known === undefined || status === undefined || !isLeader()) return;
    const before = conditionsOf(known.object);
    const outcome = await writer.write(refOf(known.kind, known.object), status, known.object);
    if (outcome === "awaited") this.#queue.addAfter(uid, LAG_MILLISECONDS);
    if (outcome !== "written") return;
    if (!this.#told.has(uid)) this.#told.set(uid, before);
    this.#notices.addAfter(uid, this.#options.noticeAfterMs);
  }

  #statusOf({ object, meaning }: Known): ResourceStatus["status"] | undefined {
    const { uid, generation = 0 } = object.metadata;
    const conditions = conditionsOfIdle(object, meaning, this.#options.clock.now());
    return conditions === null ? this.#wanted.get(uid)?.status : { observedGeneration: generation, conditions };
  }

  #tell(uid: string): Promise<void> {
    const { source, events, isLeader } = this.#options;
    const known = source.get(uid);
    const now = known === undefined ? undefined : this.#statusOf(known)?.conditions;
    if (known === undefined || now === undefined || !isLeader()) return Promise.resolve();
    const regarding = refOf(known.kind, known.object);
    for (const notice of noticesOf(this.#told.get(uid) ?? [], now)) events.record({ regarding, type: "Warning", ...notice });
    this.#told.set(uid, now);
    return Promise.resolve();
  }
}

function isDeparting({ state }: Meaning): boolean {
  return state === "leaving" || state === "gone";
}

/** Of an object that takes no part; null for one that does, or may in a moment. */
function conditionsOfIdle(object: KubeObject, meaning: Meaning, now: Date): readonly Condition[] | null {
  const facts = { generation: object.metadata.generation ?? 0, previous: conditionsOf(object), now };
  if (isDeparting(meaning)) return terminatingConditions(facts, departureOf(meaning, object));
  if (meaning.state === "refused") return unreadableConditions({ ...facts, problems: meaning.problems });
  return meaning.state === "unprotected" && meaning.refused !== null ? unprotectedConditions(facts, POOL_FINALIZER, meaning.refused) : null;
}

function refOf(kind: ResourceKind, { metadata }: KubeObject): ObjectRef {
  const { namespace, name, uid } = metadata;
  return { type: TYPES[kind], kind, name, uid, ...(namespace === undefined ? {} : { namespace }) };
}

/** As they are stored; anything else than a list of conditions is none. */
export function conditionsOf(object: KubeObject): readonly Condition[] {
  const status = object["status"] as { readonly conditions?: unknown } | undefined;
  return Array.isArray(status?.conditions) ? status.conditions.filter(isCondition) : [];
}

function isCondition(value: unknown): value is Condition {
  const { type, status, reason, message, lastTransitionTime } = (value ?? {}) as Record<string, unknown>;
  return [type, status, reason, message, lastTransitionTime].every((field) => typeof field === "string");
}
