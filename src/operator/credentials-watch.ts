import type { KubeClient } from "../adapters/kubernetes/client.ts";
import { collectionPath, type KubeObject } from "../adapters/kubernetes/objects.ts";
import { Reflector } from "../adapters/kubernetes/reflector.ts";
import { readSecret } from "../adapters/manifest/secret.ts";
import type { Credentials, Logger } from "../domain/ports.ts";
import { nameOf, namespaceOf } from "../domain/seniority.ts";
import type { ResourceKey } from "../domain/types.ts";
import { SECRETS } from "./kinds.ts";

/** A Secret that can't be read (no right to) must not hold up everything else; then its trunk says that it is missing. */
const FAILURES_UNTIL_MISSING = 3;

/**
 * Watches the Secrets that trunks refer to, each by its name: no other Secret is ever read, and the operator needs no right to more
 * than these.
 */
export class CredentialsWatch {
  readonly #client: KubeClient;
  readonly #logger: Logger;
  readonly #onChange: () => void;
  readonly #watched = new Map<ResourceKey, Reflector>();
  readonly #credentials = new Map<ResourceKey, Credentials>();
  readonly #stopping = new Set<Promise<void>>();

  constructor(client: KubeClient, logger: Logger, onChange: () => void) {
    this.#client = client;
    this.#logger = logger;
    this.#onChange = onChange;
  }

  /** Watches exactly these from now on. */
  watch(wanted: ReadonlySet<ResourceKey>): void {
    for (const [key, reflector] of this.#watched) if (!wanted.has(key)) this.#drop(key, reflector);
    for (const key of wanted) if (!this.#watched.has(key)) this.#add(key);
  }

  /** Whether of every one it is known if it is there. */
  get settled(): boolean {
    return [...this.#watched.values()].every(({ state }) => state.synced || state.failures >= FAILURES_UNTIL_MISSING);
  }

  /** Usable ones only. */
  get credentials(): ReadonlyMap<ResourceKey, Credentials> {
    return this.#credentials;
  }

  async stop(): Promise<void> {
    this.watch(new Set());
    await Promise.all(this.#stopping);
  }

  #add(key: ResourceKey): void {
    const reflector = new Reflector({
      client: this.#client,
      path: collectionPath(SECRETS, namespaceOf(key)),
      query: { fieldSelector: `metadata.name=${nameOf(key)}` },
      logger: this.#logger,
      onEvent: (event) => this.#take(key, event.type === "deleted" ? null : event.object),
      onSync: this.#onChange,
    });
    this.#watched.set(key, reflector);
    reflector.start();
  }

  #drop(key: ResourceKey, reflector: Reflector): void {
    this.#watched.delete(key);
    this.#credentials.delete(key);
    const stopped = reflector.stop().finally(() => this.#stopping.delete(stopped));
    this.#stopping.add(stopped);
  }

  #take(key: ResourceKey, secret: KubeObject | null): void {
    const read = secret === null ? null : readSecret({ ...secret, apiVersion: "v1" });
    const before = this.#credentials.get(key);
    const { credentials } = read ?? { credentials: null };
    if (credentials === null) this.#credentials.delete(key);
    else if (before?.username !== credentials.username || before.password !== credentials.password) this.#credentials.set(key, credentials);
    else return;
    this.#onChange();
  }
}
