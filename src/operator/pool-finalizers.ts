import type { KubeClient } from "../adapters/kubernetes/client.ts";
import { ResourceEventType } from "../adapters/kubernetes/dot-i.ts";
import { addFinalizer, removeFinalizer } from "../adapters/kubernetes/finalizer.ts";
import { TYPES } from "../adapters/kubernetes/kinds.ts";
import { WorkQueue, type WorkQueueMetrics } from "../adapters/kubernetes/work-queue.ts";
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

/**
 * Puts our finalizer on pools before anything is written for them, and takes it off when what they owned was cleaned up. One pool
 * at a time each, so that one that can't be changed holds up no other.
 */
export class PoolFinalizers {
  readonly #options: PoolFinalizersOptions;
  readonly #queue: WorkQueue;
  /** Uids of leaving pools of which nothing holds them any more. */
  readonly #cleaned = new Set<string>();
  readonly #unwatch: () => void;

  constructor(options: PoolFinalizersOptions) {
    this.#options = options;
    const { logger, metrics } = options;
    this.#queue = new WorkQueue({ name: "finalizers", handle: (uid) => this.#handle(uid), logger, workers: WORKERS, ...(metrics === undefined ? {} : { metrics }) });
    this.#unwatch = options.source.watchObjects((known, event) => {
      if (event !== ResourceEventType.Deleted) this.#consider(known);
      else this.#cleaned.delete(known.object.metadata.uid);
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
    try {
      if ((await addFinalizer(client, TYPES.NumberPool, object, POOL_FINALIZER)) === null) source.awaitFinalizer(object.metadata.uid, false);
    } catch (error) {
      source.awaitFinalizer(object.metadata.uid, false);
      throw error;
    }
  }
}
