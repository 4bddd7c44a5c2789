import type { OperatorLogger } from "@dot-i/k8s-operator";
import type { KubeConfig, KubernetesObject } from "@kubernetes/client-node";
import type { Logger } from "../../domain/ports.ts";
import { createKubeClient, type KubeClient } from "./client.ts";
import { DotIOperator } from "./dot-i.ts";
import type { KubeObject } from "./objects.ts";
import type { ReflectorOptions, ReflectorState } from "./reflector.ts";
import { ResourceWatch, type OnResourceEvent } from "./resource-watch.ts";

export type { ResourceEvent, ResourceMeta } from "@dot-i/k8s-operator";

export interface OperatorBaseOptions {
  readonly kubeConfig: KubeConfig;
  /** Closed with the operator; of `kubeConfig` unless given. */
  readonly client?: KubeClient;
  readonly logger: Logger;
  /** Handlers that run at once, a watch; never two for one object. */
  readonly workers?: number;
  readonly reflector?: Pick<ReflectorOptions, "transform" | "pageSize" | "watchSeconds" | "quietMs" | "backoff">;
}

/** As the base class has them. */
type WatchArguments = [group: string, version: string, plural: string, onEvent: OnResourceEvent, namespace?: string];

/**
 * An operator in the shape of @dot-i/k8s-operator (`init`, `start`, `stop`, `ResourceEvent`, `ResourceMeta`) on this folder's runtime:
 * watches that survive everything instead of ending the process, handlers whose failures are retried, deletes that nobody saw. What it
 * would write by itself is refused: finalizers and statuses are written by `finalizer.ts` and `status.ts`, never over somebody else's.
 */
export abstract class OperatorBase extends DotIOperator {
  protected readonly client: KubeClient;
  readonly #options: OperatorBaseOptions;
  readonly #watches: ResourceWatch[] = [];
  #stopped: Promise<void> | undefined;

  constructor(options: OperatorBaseOptions) {
    super(plainLogger(options.logger));
    this.kubeConfig = options.kubeConfig;
    this.#options = options;
    this.client = options.client ?? createKubeClient(options.kubeConfig, options.logger);
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

  /** Resolves when that of everything that is watched so far was; never when it is stopped before. */
  async synced(): Promise<void> {
    await Promise.all(this.#watches.map((watch) => watch.synced));
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
    const { logger, workers = 4, reflector = {} } = this.#options;
    this.#watches.push(new ResourceWatch({ client: this.client, type, namespace, onEvent, logger, workers, reflector }));
    return Promise.resolve();
  }

  // The package's own of these write over what others wrote, or speak to the API server past `client`: nothing here uses them.

  protected override getCustomResourceApiUri(): never {
    throw notHere("getCustomResourceApiUri", "collectionPath");
  }

  protected override registerCustomResourceDefinition(): never {
    throw notHere("registerCustomResourceDefinition", "kubectl apply -f crds/");
  }

  protected override setResourceStatus(): never {
    throw notHere("setResourceStatus", "StatusWriter");
  }

  protected override patchResourceStatus(): never {
    throw notHere("patchResourceStatus", "StatusWriter");
  }

  protected override handleResourceFinalizer(): never {
    throw notHere("handleResourceFinalizer", "addFinalizer and removeFinalizer");
  }

  protected override setResourceFinalizers(): never {
    throw notHere("setResourceFinalizers", "addFinalizer and removeFinalizer");
  }
}

function notHere(method: string, instead: string): TypeError {
  return new TypeError(`${method} is not for use here: use ${instead}`);
}

/** The object of an event of this class, as the cache has it: it was parsed when it arrived. */
export function objectOf({ object }: { readonly object: KubernetesObject }): KubeObject {
  return object as unknown as KubeObject;
}

function plainLogger(logger: Logger): OperatorLogger {
  return {
    debug: (message) => logger.debug({}, message),
    info: (message) => logger.info({}, message),
    warn: (message) => logger.warn({}, message),
    error: (message) => logger.error({}, message),
  };
}
