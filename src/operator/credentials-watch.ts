import type { KubeClient } from "../adapters/kubernetes/client.ts";
import { SECRETS } from "../adapters/kubernetes/kinds.ts";
import { collectionPath, type KubeObject } from "../adapters/kubernetes/objects.ts";
import { Reflector, type ReflectorState } from "../adapters/kubernetes/reflector.ts";
import { readSecret } from "../adapters/manifest/secret.ts";
import type { Credentials, Logger, SecretFault } from "../domain/ports.ts";
import { nameOf, namespaceOf } from "../domain/seniority.ts";
import type { ResourceKey } from "../domain/types.ts";
import { fieldName } from "../domain/validate/finding.ts";

/** A Secret that the operator has no right to must not hold up everything else; then its trunk says so. */
const REFUSALS_UNTIL_UNREADABLE = 3;
/**
 * Some twenty seconds. Whatever else fails is mostly over by then, and until then nothing is written: an operator that starts beside an API
 * server in trouble takes no trunk's authentication away.
 */
const FAILURES_UNTIL_UNREADABLE = 8;

export interface CredentialsListeners {
  /** Credentials or faults are others. */
  readonly onChange: () => void;
  /** `settled` may be another. */
  readonly onLook: () => void;
}

/**
 * Watches the Secrets that trunks refer to, each by its name: no other Secret is ever read, and the operator needs no right to more
 * than these. What a Secret held last stays in use as long as it is watched, whatever becomes of it: who changes a password by deleting
 * and creating interrupts nothing, and a mistyped one or a lost right takes no trunk's authentication away.
 */
export class CredentialsWatch {
  readonly #client: KubeClient;
  readonly #logger: Logger;
  readonly #listeners: CredentialsListeners;
  readonly #watched = new Map<ResourceKey, Reflector>();
  readonly #credentials = new Map<ResourceKey, Credentials>();
  readonly #faults = new Map<ResourceKey, SecretFault>();
  readonly #stopping = new Set<Promise<void>>();

  constructor(client: KubeClient, logger: Logger, listeners: CredentialsListeners) {
    this.#client = client;
    this.#logger = logger;
    this.#listeners = listeners;
  }

  /** Watches exactly these from now on. */
  watch(wanted: ReadonlySet<ResourceKey>): void {
    for (const [key, reflector] of this.#watched) if (!wanted.has(key)) this.#drop(key, reflector);
    for (const key of wanted) if (!this.#watched.has(key)) this.#add(key);
  }

  /** True once each watched Secret is known to exist or not, or counts as unreadable. */
  get settled(): boolean {
    return [...this.#watched.values()].every(({ state }) => state.synced || isUnreadable(state));
  }

  /** As they were seen last when they could be used. */
  get credentials(): ReadonlyMap<ResourceKey, Credentials> {
    return this.#credentials;
  }

  /** What is wrong with them now. */
  get faults(): ReadonlyMap<ResourceKey, SecretFault> {
    return this.#faults;
  }

  async stop(): Promise<void> {
    this.watch(new Set());
    await Promise.all(this.#stopping);
  }

  #add(key: ResourceKey): void {
    const look = () => this.#look(key, reflector);
    const reflector = new Reflector({
      client: this.#client,
      path: collectionPath(SECRETS, namespaceOf(key)),
      query: { fieldSelector: `metadata.name=${nameOf(key)}` },
      logger: this.#logger,
      onEvent: look,
      onSync: look,
      onState: look,
    });
    this.#watched.set(key, reflector);
    reflector.start();
  }

  #drop(key: ResourceKey, reflector: Reflector): void {
    this.#watched.delete(key);
    this.#credentials.delete(key);
    this.#faults.delete(key);
    const stopped = reflector.stop().finally(() => this.#stopping.delete(stopped));
    this.#stopping.add(stopped);
  }

  #look(key: ResourceKey, reflector: Reflector): void {
    if (this.#watched.get(key) !== reflector) return;
    const [credentials, fault] = [this.#credentials.get(key), this.#faults.get(key)];
    const found = seen(key, reflector);
    if (found.credentials !== undefined && !same(credentials, found.credentials)) this.#credentials.set(key, found.credentials);
    if (found.fault === undefined) this.#faults.delete(key);
    else if (fault?.message !== found.fault.message) this.#faults.set(key, found.fault);
    if (this.#credentials.get(key) !== credentials || this.#faults.get(key) !== fault) this.#listeners.onChange();
    this.#listeners.onLook();
  }
}

function same(a: Credentials | undefined, b: Credentials): boolean {
  return a?.username === b.username && a.password === b.password;
}

interface Seen {
  readonly credentials?: Credentials;
  readonly fault?: SecretFault;
}

/** Neither as long as it is not known yet. */
function seen(key: ResourceKey, { state, store }: Reflector): Seen {
  const [secret] = store.list();
  const now = secret !== undefined ? read(key, secret) : state.synced ? { fault: absent(key) } : {};
  return isUnreadable(state) ? { fault: { state: "Unreadable", message: `Secret ${key} can't be read: ${state.lastError?.message ?? "unknown"}` } } : now;
}

/** An API server that is away for a while, and showed it before, says nothing about the Secret. */
function isUnreadable({ synced, watching, failures, lastError }: ReflectorState): boolean {
  if (watching || lastError === undefined) return false;
  const isRefused = lastError.status === 401 || lastError.status === 403;
  return isRefused ? failures >= REFUSALS_UNTIL_UNREADABLE : !synced && failures >= FAILURES_UNTIL_UNREADABLE;
}

function read(key: ResourceKey, secret: KubeObject): Seen {
  const { credentials, lacking, errors } = readSecret({ ...secret, apiVersion: "v1" });
  if (credentials !== null) return { credentials };
  const wrong = errors.map(({ path, message }) => `${fieldName(path)} ${message}`);
  const said = wrong.length > 0 ? wrong : lacking.map((name) => `it must have the key ${name}`);
  return { fault: { state: "Invalid", message: `Secret ${key} can't be used: ${said.join("; ")}` } };
}

function absent(key: ResourceKey): SecretFault {
  return { state: "Absent", message: `Secret ${key} does not exist` };
}
