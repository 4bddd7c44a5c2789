import type { ResourceEvent, ResourceMeta } from "@dot-i/k8s-operator";
import type { KubernetesObject } from "@kubernetes/client-node";
import type { Logger } from "../../domain/ports.ts";
import { isRecord } from "../../shared/json.ts";
import type { StoreEvent } from "./cache/store.ts";
import type { KubeClient } from "./client.ts";
import { ResourceEventType } from "./dot-i.ts";
import { KubeError } from "./kube-error.ts";
import { apiPath, apiVersionOf, collectionPath, type KubeObject, type ResourceType } from "./objects.ts";
import { Reflector, type ReflectorOptions, type ReflectorState } from "./reflector.ts";
import { WorkQueue } from "./work-queue.ts";

export type OnResourceEvent = (event: ResourceEvent) => Promise<void>;

export interface ResourceWatchOptions {
  readonly client: KubeClient;
  readonly type: ResourceType;
  /** All when undefined. */
  readonly namespace: string | undefined;
  readonly onEvent: OnResourceEvent;
  readonly logger: Logger;
  readonly workers: number;
  readonly reflector: Pick<ReflectorOptions, "transform" | "pageSize" | "watchSeconds" | "quietMs" | "backoff">;
}

/** `ResourceMeta`, and which object of that name it is. */
interface ExactMeta extends ResourceMeta {
  readonly uid: string;
}

/** One collection, told as events of @dot-i/k8s-operator: state-based underneath, so that a retry always works on the newest state. */
export class ResourceWatch {
  readonly #options: ResourceWatchOptions;
  readonly #reflector: Reflector;
  readonly #queue: WorkQueue;
  /** Ends that were not told with success yet, in order, a key. */
  readonly #ends = new Map<string, KubeObject[]>();
  /** uids whose beginning was told. */
  readonly #told = new Set<string>();
  /** Keys of the first list that were not told yet; undefined before it. */
  #first: Set<string> | undefined;
  readonly #synced = Promise.withResolvers<undefined>();
  #kind: string | undefined;

  constructor(options: ResourceWatchOptions) {
    this.#options = options;
    const { client, type, namespace, logger, workers, reflector } = options;
    this.#queue = new WorkQueue({ name: type.plural, workers, logger, handle: (key) => this.#handle(key) });
    this.#reflector = new Reflector({ ...reflector, client, logger, path: collectionPath(type, namespace), onEvent: (event) => this.#take(event), onSync: () => this.#listed() });
    this.#reflector.start();
  }

  /** Everything that was there at some moment since the start was told, or its handler failed at least once. */
  get hasSynced(): boolean {
    return this.#first?.size === 0;
  }

  /** Resolves when it has; never when it is stopped before. */
  get synced(): Promise<undefined> {
    return this.#synced.promise;
  }

  get plural(): string {
    return this.#options.type.plural;
  }

  get state(): ReflectorState {
    return this.#reflector.state;
  }

  /** Objects known now. */
  get objects(): number {
    return this.#reflector.store.size;
  }

  async stop(): Promise<void> {
    await Promise.all([this.#reflector.stop(), this.#queue.stop()]);
  }

  #take({ type, key, object }: StoreEvent): void {
    if (type === "deleted") this.#ends.set(key, [...(this.#ends.get(key) ?? []), object]);
    this.#queue.add(key);
  }

  #listed(): void {
    const { store } = this.#reflector;
    this.#first = new Set([...store.keys()].filter((key) => !this.#told.has(store.get(key)?.metadata.uid ?? "")));
    this.#tellSynced();
  }

  #tellSynced(): void {
    if (this.hasSynced) this.#synced.resolve(undefined);
  }

  async #handle(key: string): Promise<void> {
    try {
      await this.#tellAll(key);
    } finally {
      this.#first?.delete(key);
      this.#tellSynced();
    }
  }

  async #tellAll(key: string): Promise<void> {
    for (let end = this.#ends.get(key)?.[0]; end !== undefined; end = this.#ends.get(key)?.[0]) await this.#tellEnd(key, end);
    const object = this.#reflector.store.get(key);
    if (object === undefined) return;
    const { Added, Modified } = ResourceEventType;
    await this.#tell(this.#told.has(object.metadata.uid) ? Modified : Added, object);
    this.#told.add(object.metadata.uid);
  }

  async #tellEnd(key: string, object: KubeObject): Promise<void> {
    await this.#tell(ResourceEventType.Deleted, object);
    this.#told.delete(object.metadata.uid);
    const rest = (this.#ends.get(key) ?? []).filter((one) => one !== object);
    if (rest.length === 0) this.#ends.delete(key);
    else this.#ends.set(key, rest);
  }

  async #tell(type: ResourceEvent["type"], object: KubeObject): Promise<void> {
    const { type: ofType } = this.#options;
    const apiVersion = apiVersionOf(ofType);
    // The items of a list of a built-in type name neither.
    const kind = object.kind ?? (await this.#kindOfType());
    const { name, namespace, resourceVersion, uid } = object.metadata;
    const meta: ExactMeta = { id: `${ofType.plural}.${apiVersion}`, name, resourceVersion, apiVersion, kind, uid, ...(namespace === undefined ? {} : { namespace }) };
    const named = object.apiVersion === apiVersion && object.kind === kind ? object : { ...object, apiVersion, kind };
    await this.#options.onEvent({ meta, type, object: named as unknown as KubernetesObject });
  }

  /** @throws KubeError */
  async #kindOfType(): Promise<string> {
    if (this.#kind !== undefined) return this.#kind;
    const { client, type } = this.#options;
    const answer = await client.request({ method: "GET", path: apiPath(type) });
    const resources: unknown = isRecord(answer) ? answer["resources"] : undefined;
    const found: unknown = Array.isArray(resources) ? resources.find((one) => isRecord(one) && one["name"] === type.plural) : undefined;
    const kind = isRecord(found) ? found["kind"] : undefined;
    if (typeof kind !== "string") throw new KubeError(0, "Malformed", `the API server must name the kind of ${type.plural}`);
    this.#kind = kind;
    return kind;
  }
}
