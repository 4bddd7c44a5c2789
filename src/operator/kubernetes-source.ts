import type { KubeClient } from "../adapters/kubernetes/client.ts";
import { objectKey, type KubeObject } from "../adapters/kubernetes/objects.ts";
import { ResourceEventType } from "../adapters/kubernetes/dot-i.ts";
import { objectOf, type ResourceEvent } from "../adapters/kubernetes/operator-base.ts";
import type { Schemas } from "../adapters/manifest/load-schemas.ts";
import type { Declared, LeavingPool, Logger, ResourceSource, IdleObject } from "../domain/ports.ts";
import type { AnyResource, ResourceKind } from "../domain/resources.ts";
import type { ResourceKey } from "../domain/types.ts";
import { CredentialsWatch } from "./credentials-watch.ts";
import { meaningOf, meansTheSame, type Meaning } from "./declared-objects.ts";

export interface KubernetesSourceOptions {
  readonly client: KubeClient;
  readonly schemas: Schemas;
  readonly logger: Logger;
  /** Whether every object that is there was taken once. */
  readonly hasSynced: () => boolean;
}

/** One object as the API server last showed it, and what it means. */
export interface Known {
  readonly kind: ResourceKind;
  readonly object: KubeObject;
  readonly meaning: Meaning;
}

type Listener = (known: Known, event: ResourceEvent["type"]) => void;

/**
 * Resources out of an API server: copies that the operator's watches keep up to date, in a leader and in whoever waits to become one.
 * An object is parsed once a change of it, and a change that means nothing (our own status) is not told.
 */
export class KubernetesSource implements ResourceSource {
  readonly #options: KubernetesSourceOptions;
  readonly #secrets: CredentialsWatch;
  /** By uid, in the order of their arrival. */
  readonly #known = new Map<string, Known>();
  readonly #secretOf = new Map<string, ResourceKey>();
  readonly #changeListeners = new Set<() => void>();
  readonly #objectListeners = new Set<Listener>();
  /** Pools that wait for their finalizer, which is on its way: uids. */
  readonly #awaited = new Set<string>();
  /** Of readers; undefined while there are none. */
  #waiting: PromiseWithResolvers<undefined> | undefined;
  #stopped = false;

  constructor(options: KubernetesSourceOptions) {
    this.#options = options;
    this.#secrets = new CredentialsWatch(options.client, options.logger, { onChange: () => this.#changed(), onLook: () => this.look() });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.look();
    await this.#secrets.stop();
  }

  /** Whether everything was read once. A pass before that would take what is not known yet for deleted. */
  get ready(): boolean {
    return this.#options.hasSynced() && this.#secrets.settled;
  }

  /** Every object, for who looks at one at a time. */
  all(): readonly Known[] {
    return [...this.#known.values()];
  }

  get(uid: string): Known | undefined {
    return this.#known.get(uid);
  }

  /** Whether a pool's finalizer is on its way. One that can't be written must not hold up everything else. */
  awaitFinalizer(uid: string, isAwaited: boolean): void {
    if (isAwaited && this.#known.get(uid)?.meaning.state === "unprotected") this.#awaited.add(uid);
    else this.#awaited.delete(uid);
    this.look();
  }

  /** What readers wait for may be there: called whenever something of it has changed. */
  look(): void {
    if (this.#waiting === undefined || !this.#canRead) return;
    this.#waiting.resolve(undefined);
    this.#waiting = undefined;
  }

  get #canRead(): boolean {
    return this.#stopped || (this.#awaited.size === 0 && this.ready);
  }

  /** It can't be put on a pool, in the API server's words: who watches is told once more. */
  refuseFinalizer(uid: string, refused: string): void {
    const known = this.#known.get(uid);
    if (known?.meaning.state !== "unprotected" || known.meaning.refused === refused) return;
    const next: Known = { ...known, meaning: { ...known.meaning, refused } };
    this.#known.set(uid, next);
    for (const listener of this.#objectListeners) listener(next, ResourceEventType.Modified);
  }

  /**
   * Waits for the first full read and for finalizers being written; otherwise a rule applied together with its pool would briefly
   * report a missing pool.
   */
  async read(): Promise<Declared> {
    while (!this.#canRead) await (this.#waiting ??= Promise.withResolvers()).promise;
    const resources: AnyResource[] = [];
    const leaving: LeavingPool[] = [];
    const [unreadable, terminating]: [IdleObject[], IdleObject[]] = [[], []];
    for (const { kind, meaning, object } of this.#known.values()) {
      if (meaning.state === "leaving") leaving.push(meaning.pool);
      if (meaning.state === "declared") {
        resources.push(meaning.resource);
        continue;
      }
      // A pool that lost its finalizer, and could not be given it again yet, is out of service and not deleted.
      const idle = meaning.state === "refused" || meaning.state === "unprotected" ? unreadable : terminating;
      idle.push({ kind, uid: object.metadata.uid, key: objectKey(object.metadata) });
    }
    return { resources, leaving, unreadable, terminating, credentials: new Map(this.#secrets.credentials), secretFaults: new Map(this.#secrets.faults), problems: [] };
  }

  watch(listener: () => void): Promise<() => Promise<void>> {
    this.#changeListeners.add(listener);
    return Promise.resolve(() => {
      this.#changeListeners.delete(listener);
      return Promise.resolve();
    });
  }

  /** Every change of an object, those that mean nothing to a reconcile included. The answer stops it. */
  watchObjects(listener: Listener): () => void {
    this.#objectListeners.add(listener);
    return () => this.#objectListeners.delete(listener);
  }

  /** What a watch tells. */
  take(kind: ResourceKind, event: ResourceEvent): void {
    const object = objectOf(event);
    const { uid } = object.metadata;
    const isEnd = event.type === ResourceEventType.Deleted;
    const before = this.#known.get(uid);
    const same = !isEnd && before !== undefined && meansTheSame(before.object, object);
    const known: Known = { kind, object, meaning: same ? before.meaning : meaningOf(this.#options.schemas, kind, object) };
    if (isEnd) this.#known.delete(uid);
    else this.#known.set(uid, known);
    if (isEnd || known.meaning.state !== "unprotected") this.#awaited.delete(uid);
    if (!same && kind === "SipTrunk") this.#watchSecret(uid, isEnd ? null : known.meaning);
    for (const listener of this.#objectListeners) listener(known, event.type);
    if (!same) this.#changed();
    this.look();
  }

  #watchSecret(uid: string, meaning: Meaning | null): void {
    const trunk = meaning?.state === "declared" && meaning.resource.kind === "SipTrunk" ? meaning.resource : null;
    const name = trunk?.spec.authentication?.secretRef.name;
    if (trunk === null || name === undefined) this.#secretOf.delete(uid);
    else this.#secretOf.set(uid, `${trunk.metadata.namespace}/${name}`);
    this.#secrets.watch(new Set(this.#secretOf.values()));
  }

  #changed(): void {
    for (const listener of this.#changeListeners) listener();
  }
}
