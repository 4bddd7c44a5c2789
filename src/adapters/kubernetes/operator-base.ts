import { readFile } from "node:fs/promises";
import type { OperatorLogger, ResourceEvent, ResourceMeta } from "@dot-i/k8s-operator";
import type { KubeConfig, KubernetesObject, V1CustomResourceDefinitionVersion } from "@kubernetes/client-node";
import { parse } from "yaml";
import { ExpectedError } from "../../domain/errors.ts";
import type { Logger } from "../../domain/ports.ts";
import { isRecord } from "../../shared/json.ts";
import { ContentType, createKubeClient, type KubeClient } from "./client.ts";
import { DotIOperator, ResourceEventType } from "./dot-i.ts";
import { addFinalizer, removeFinalizer } from "./finalizer.ts";
import { isNotFound } from "./kube-error.ts";
import { mergePatch } from "./merge-patch.ts";
import { apiVersionOf, collectionPath, objectPath, parseObject, type KubeObject, type ResourceType } from "./objects.ts";
import type { ReflectorOptions, ReflectorState } from "./reflector.ts";
import { ResourceWatch, type OnResourceEvent } from "./resource-watch.ts";
import { StatusWriter, type ObjectRef } from "./status.ts";

export type { ResourceEvent, ResourceMeta } from "@dot-i/k8s-operator";

export interface OperatorBaseOptions {
  readonly kubeConfig: KubeConfig;
  /** Closed with the operator; of `kubeConfig` unless given. */
  readonly client?: KubeClient;
  readonly logger: Logger;
  /** Who owns the fields of what it writes. */
  readonly fieldManager: string;
  /** Handlers that run at once, a watch; never two for one object. */
  readonly workers?: number;
  readonly reflector?: Pick<ReflectorOptions, "transform" | "pageSize" | "watchSeconds" | "quietMs" | "backoff">;
}

/** As the base class has them. */
type WatchArguments = [group: string, version: string, plural: string, onEvent: OnResourceEvent, namespace?: string];

/**
 * An operator in the shape of @dot-i/k8s-operator (`init`, `start`, `stop`, `ResourceEvent`, `ResourceMeta`) on this folder's runtime:
 * watches that survive everything instead of ending the process, handlers whose failures are retried, deletes that nobody saw,
 * finalizers and statuses that are never written over somebody else's. What can't be written is thrown, for the queue to try again.
 */
export abstract class OperatorBase extends DotIOperator {
  protected readonly client: KubeClient;
  readonly #options: OperatorBaseOptions;
  readonly #status: StatusWriter;
  readonly #types = new Map<string, ResourceType>();
  readonly #watches: ResourceWatch[] = [];
  #stopped: Promise<void> | undefined;

  constructor(options: OperatorBaseOptions) {
    super(plainLogger(options.logger));
    this.kubeConfig = options.kubeConfig;
    this.#options = options;
    this.client = options.client ?? createKubeClient(options.kubeConfig, options.logger);
    this.#status = new StatusWriter({ client: this.client, fieldManager: options.fieldManager });
  }

  /** Ends the watches; running handlers are told by nothing and waited for by `stopped`. */
  override stop(): void {
    void this.stopped();
  }

  /** Stops, and resolves when no handler runs any more. */
  stopped(): Promise<void> {
    this.#stopped ??= Promise.all(this.#watches.map((watch) => watch.stop())).then(() => this.client.close());
    return this.#stopped;
  }

  /** Everything that is watched was listed once, and told. */
  get hasSynced(): boolean {
    return this.#watches.every((watch) => watch.hasSynced);
  }

  /** How the watches do, for readiness and metrics. */
  watchStates(): readonly { readonly plural: string; readonly objects: number; readonly state: ReflectorState }[] {
    return this.#watches.map(({ plural, objects, state }) => ({ plural, objects, state }));
  }

  /**
   * Tells `onEvent` of every object, one call at a time an object, with its newest state: what changes during a call or while one is
   * retried is told once. A call that fails is made again, later and later. An object that took another's name is told after the other's end.
   */
  protected override watchResource(...[group, version, plural, onEvent, namespace]: WatchArguments): Promise<void> {
    if (this.#stopped !== undefined) return Promise.resolve();
    const type = { group, version, plural };
    this.#types.set(idOf(type), type);
    const { logger, workers = 4, reflector = {} } = this.#options;
    this.#watches.push(new ResourceWatch({ client: this.client, type, namespace, onEvent, logger, workers, reflector }));
    return Promise.resolve();
  }

  protected override getCustomResourceApiUri(group: string, version: string, plural: string, namespace?: string): string {
    const server = this.kubeConfig.getCurrentCluster()?.server ?? "";
    return `${server.replace(/\/$/, "")}${collectionPath({ group, version, plural }, namespace)}`;
  }

  /** Applies it, so that a definition that is there already is brought to this state. @throws ExpectedError InvalidInput, KubeError */
  protected override async registerCustomResourceDefinition(crdFile: string): Promise<{ group: string; versions: V1CustomResourceDefinitionVersion[]; plural: string }> {
    const definition: unknown = parse(await readFile(crdFile, "utf8"));
    const { group, versions, names } = isRecord(definition) && isRecord(definition["spec"]) ? definition["spec"] : {};
    const plural = isRecord(names) ? names["plural"] : undefined;
    if (!isRecord(definition) || typeof group !== "string" || typeof plural !== "string" || !Array.isArray(versions)) {
      throw new ExpectedError("InvalidInput", `${crdFile}: must be a CustomResourceDefinition of apiextensions.k8s.io/v1`, { field: "spec" });
    }
    const path = objectPath({ group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" }, { name: `${plural}.${group}` });
    const query = { fieldManager: this.#options.fieldManager, force: true };
    await this.client.request({ method: "PATCH", path, query, contentType: ContentType.ApplyPatch, body: definition });
    return { group, plural, versions: versions as V1CustomResourceDefinitionVersion[] };
  }

  /** Null when the object is gone. @throws KubeError */
  protected override async setResourceStatus(meta: ResourceMeta, status: unknown): Promise<ResourceMeta | null> {
    const current = await this.#read(meta);
    return current === null ? null : this.#writeStatus(meta, current, status);
  }

  /** The merge (RFC 7386) is that of the status as it is now. Null when the object is gone. @throws KubeError */
  protected override async patchResourceStatus(meta: ResourceMeta, status: unknown): Promise<ResourceMeta | null> {
    const current = await this.#read(meta);
    return current === null ? null : this.#writeStatus(meta, current, mergePatch(current["status"], status));
  }

  /**
   * Adds the finalizer, or runs `deleteAction` and takes it off; true when nothing else is to be done. What `deleteAction` throws
   * leaves the finalizer where it is, and comes again with the next try.
   * @throws KubeError, ExpectedError `Conflict`
   */
  protected override async handleResourceFinalizer(event: ResourceEvent, finalizer: string, deleteAction: (event: ResourceEvent) => Promise<void>): Promise<boolean> {
    if (event.type === ResourceEventType.Deleted) return false;
    const [type, object] = [this.#typeOf(event.meta), objectOf(event)];
    const { finalizers = [], deletionTimestamp } = object.metadata;
    if (deletionTimestamp === undefined && finalizers.includes(finalizer)) return false;
    if (deletionTimestamp === undefined) {
      await addFinalizer(this.client, type, object, finalizer);
      return true;
    }
    if (finalizers.includes(finalizer)) {
      await deleteAction(event);
      await removeFinalizer(this.client, type, object, finalizer);
    }
    return true;
  }

  /** On condition that the object is still the one of `meta`. @throws KubeError 409 when it is not */
  protected override async setResourceFinalizers(meta: ResourceMeta, finalizers: string[]): Promise<void> {
    const body = { metadata: { resourceVersion: meta.resourceVersion, finalizers } };
    await this.client.request({ method: "PATCH", path: objectPath(this.#typeOf(meta), meta), contentType: ContentType.MergePatch, body });
  }

  async #writeStatus(meta: ResourceMeta, current: KubeObject, status: unknown): Promise<ResourceMeta | null> {
    if (!isRecord(status)) throw new TypeError("a status must be an object");
    const { name, namespace, uid } = current.metadata;
    const ref: ObjectRef = { type: this.#typeOf(meta), kind: meta.kind, name, uid, ...(namespace === undefined ? {} : { namespace }) };
    const outcome = await this.#status.write(ref, status, current);
    // Read each time, so nothing need be remembered of it.
    this.#status.forget(uid);
    return outcome === "gone" ? null : meta;
  }

  /** Null when it is gone, or another one of that name. */
  async #read(meta: ResourceMeta): Promise<KubeObject | null> {
    try {
      const object = parseObject(await this.client.request({ method: "GET", path: objectPath(this.#typeOf(meta), meta) }));
      const uid = "uid" in meta ? meta.uid : object.metadata.uid;
      return object.metadata.uid === uid ? object : null;
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }

  #typeOf({ id }: ResourceMeta): ResourceType {
    const type = this.#types.get(id);
    if (type === undefined) throw new TypeError(`${id} must be watched before it is written`);
    return type;
  }
}

/** The object of an event of this class, as the cache has it: it was parsed when it arrived. */
export function objectOf({ object }: { readonly object: KubernetesObject }): KubeObject {
  return object as unknown as KubeObject;
}

/** As the base class names them. */
function idOf(type: ResourceType): string {
  return `${type.plural}.${apiVersionOf(type)}`;
}

function plainLogger(logger: Logger): OperatorLogger {
  return {
    debug: (message) => logger.debug({}, message),
    info: (message) => logger.info({}, message),
    warn: (message) => logger.warn({}, message),
    error: (message) => logger.error({}, message),
  };
}
