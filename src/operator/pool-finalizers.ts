import type { KubeClient } from "../adapters/kubernetes/client.ts";
import { ResourceEventType } from "../adapters/kubernetes/dot-i.ts";
import { addFinalizer, removeFinalizer } from "../adapters/kubernetes/finalizer.ts";
import { TYPES } from "../adapters/kubernetes/kinds.ts";
import { KubeError } from "../adapters/kubernetes/kube-error.ts";
import { WorkQueue, type WorkQueueMetrics } from "../adapters/kubernetes/work-queue.ts";
import { messageOf } from "../domain/errors.ts";
import type { LeavingPool, Logger } from "../domain/ports.ts";
import type { Known, KubernetesSource } from "./kubernetes-source.ts";
import { POOL_FINALIZER } from "./names.ts";

export interface PoolFinalizersOptions {
  readonly client: KubeClient;
  readonly source: KubernetesSource;
  readonly isLeader: () => boolean;
  readonly logger: Logger;
  readonly metrics?: WorkQueueMetrics;
}

const WORKERS = 8;
/** Less is over at once, as when somebody else writes to the pool. */
const REFUSALS_UNTIL_TOLD = 3;

/**
 * Puts our finalizer on pools before anything is written for them, and takes it off when what they owned was cleaned up. One pool
 * at a time each, so that one that can't be changed holds up no other.
 */
export class PoolFinalizers {
  readonly #options: PoolFinalizersOptions;
  readonly #queue: WorkQueue;
  /** Uids of leaving pools of which nothing holds them any more. */
  readonly #cleaned = new Set<string>();
  /** By uid: how often in a row the finalizer was refused. */
  readonly #refusals = new Map<string, number>();
  readonly #unwatch: () => void;

  constructor(options: PoolFinalizersOptions) {
    this.#options = options;
    const { logger, metrics } = options;
    this.#queue = new WorkQueue({ name: "finalizers", handle: (uid) => this.#handle(uid), logger, workers: WORKERS, ...(metrics === undefined ? {} : { metrics }) });
    this.#unwatch = options.source.watchObjects((known, event) => {
      if (event === ResourceEventType.Deleted) this.#forget(known.object.metadata.uid);
      // What was refused is in the queue, and comes again later and later; a change that may help makes another meaning.
      else if (known.meaning.state !== "unprotected" || known.meaning.refused === null) this.#consider(known);
    });
    for (const known of options.source.all()) this.#consider(known);
  }

  /** The world was applied without these, and the history of those that wanted it is deleted. */
  cleaned(pools: readonly LeavingPool[]): void {
    for (const { uid } of pools) {
      // Gone meanwhile.
      if (this.#options.source.get(uid) === undefined) continue;
      this.#cleaned.add(uid);
      this.#queue.add(uid);
    }
  }

  async stop(): Promise<void> {
    this.#unwatch();
    await this.#queue.stop();
    for (const { object } of this.#options.source.all()) this.#options.source.awaitFinalizer(object.metadata.uid, false);
  }

  #consider({ object, meaning }: Known): void {
    if (meaning.state !== "unprotected") return;
    const { uid } = object.metadata;
    this.#options.source.awaitFinalizer(uid, this.#options.isLeader());
    this.#queue.add(uid);
  }

  #forget(uid: string): void {
    this.#cleaned.delete(uid);
    this.#refusals.delete(uid);
  }

  async #handle(uid: string): Promise<void> {
    const { client, source, isLeader } = this.#options;
    const known = source.get(uid);
    if (known === undefined || !isLeader()) return;
    if (known.meaning.state === "unprotected") await this.#protect(known);
    if (known.meaning.state === "leaving" && this.#cleaned.has(uid)) await removeFinalizer(client, TYPES.NumberPool, known.object, POOL_FINALIZER);
  }

  /** The watch tells when it is there. */
  async #protect({ object }: Known): Promise<void> {
    const { client, source } = this.#options;
    const { uid } = object.metadata;
    try {
      if ((await addFinalizer(client, TYPES.NumberPool, object, POOL_FINALIZER)) === null) source.awaitFinalizer(uid, false);
      this.#refusals.delete(uid);
    } catch (error) {
      source.awaitFinalizer(uid, false);
      this.#refused(uid, error);
      throw error;
    }
  }

  #refused(uid: string, error: unknown): void {
    // An API server that does not answer says nothing about the pool.
    if (error instanceof KubeError && error.status === 0) return;
    const refusals = (this.#refusals.get(uid) ?? 0) + 1;
    this.#refusals.set(uid, refusals);
    if (refusals >= REFUSALS_UNTIL_TOLD) this.#options.source.refuseFinalizer(uid, messageOf(error));
  }
}
