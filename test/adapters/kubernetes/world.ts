import { readFileSync } from "node:fs";
import { KubeConfig } from "@kubernetes/client-node";
import { afterAll, afterEach, beforeAll } from "vitest";

import type { StoreEvent } from "../../../src/adapters/kubernetes/cache/store.ts";
import { createKubeClient, type KubeClient } from "../../../src/adapters/kubernetes/client.ts";
import { collectionPath, objectKey, objectPath, parseObject, type KubeObject, type ResourceType } from "../../../src/adapters/kubernetes/objects.ts";
import { Reflector, type ReflectorOptions } from "../../../src/adapters/kubernetes/reflector.ts";
import { listAll } from "../../../src/adapters/kubernetes/list.ts";
import type { Logger } from "../../../src/domain/ports.ts";
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "../../harness/kube.ts";
import { silent } from "../../harness/logger.ts";
import { faultTable, type Outcome } from "./fault-table.ts";

export const CONFIG_MAPS: ResourceType = { group: "", version: "v1", plural: "configmaps" };
export const POOLS: ResourceType = { group: "dialplane.io", version: "v1alpha1", plural: "numberpools" };

/** A kubeconfig as a file has it; `server` sends it through a proxy. */
export function kubeConfigOf(path: string, { server }: { readonly server?: string } = {}): KubeConfig {
  const text = readFileSync(path, "utf8");
  const config = new KubeConfig();
  config.loadFromString(server === undefined ? text : JSON.stringify(withServer(JSON.parse(text) as Kubeconfig, server)));
  return config;
}

interface Kubeconfig {
  readonly clusters: readonly { readonly name: string; readonly cluster: object }[];
}

function withServer(config: Kubeconfig, server: string): Kubeconfig {
  return { ...config, clusters: config.clusters.map(({ name, cluster }) => ({ name, cluster: { ...cluster, server } })) };
}

/** As a pod has its own: a token in a file. */
export function tokenFileConfig({ server, ca, tokenFile }: { readonly server: string; readonly ca: string; readonly tokenFile: string }): KubeConfig {
  const config = new KubeConfig();
  config.loadFromOptions({
    // Only then client-node lets a token go to a plain-HTTP front on loopback.
    clusters: [{ name: "test", server, caData: Buffer.from(ca).toString("base64"), skipTLSVerify: server.startsWith("http:") }],
    users: [{ name: "test", authProvider: { name: "tokenFile", config: { tokenFile } } }],
    contexts: [{ name: "test", cluster: "test", user: "test" }],
    currentContext: "test",
  });
  return config;
}

export function clientOf(path: string, options: { readonly server?: string; readonly logger?: Logger } = {}): KubeClient {
  return createKubeClient(kubeConfigOf(path, options), options.logger ?? silent);
}

export interface TestControlPlane {
  readonly kube: ControlPlane;
  /** Straight to the API server. */
  readonly direct: KubeClient;
  /** Printed as a table after all tests. */
  readonly outcomes: Outcome[];
  /** After the test, the last one first. */
  closing(close: () => Promise<void> | void): void;
  /** Not later than after the test. */
  close(): Promise<void>;
}

/** One API server for all tests of a file, and what each of them opens is closed after it. */
export function eachWithControlPlane(options: ControlPlaneOptions = {}): TestControlPlane {
  let started: { readonly kube: ControlPlane; readonly direct: KubeClient } | undefined;
  const plane = () => {
    if (started === undefined) throw new Error("there is a control plane only within a test");
    return started;
  };
  const outcomes: Outcome[] = [];
  const closing: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (const one of closing.splice(0).reverse()) await one();
  };
  beforeAll(async () => {
    const kube = await startControlPlane(options);
    started = { kube, direct: clientOf(kube.kubeconfig) };
  });
  afterEach(close);
  afterAll(async () => {
    if (outcomes.length > 0) process.stdout.write(`\n${faultTable(outcomes)}\n`);
    started?.direct.close();
    await started?.kube.stop();
  });
  return {
    get kube() {
      return plane().kube;
    },
    get direct() {
      return plane().direct;
    },
    outcomes,
    closing: (one) => void closing.push(one),
    close,
  };
}

/** ConfigMaps of one namespace, as whoever the client is. */
export class ConfigMaps {
  readonly #client: KubeClient;
  readonly namespace: string;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.namespace = namespace;
  }

  get path(): string {
    return collectionPath(CONFIG_MAPS, this.namespace);
  }

  async createNamespace(): Promise<void> {
    await this.#client.request({ method: "POST", path: "/api/v1/namespaces", body: { metadata: { name: this.namespace } } });
  }

  async create(name: string, value = "1"): Promise<KubeObject> {
    return parseObject(await this.#client.request({ method: "POST", path: this.path, body: { metadata: { name }, data: { value } } }));
  }

  async set(name: string, value: string): Promise<KubeObject> {
    const contentType = "application/merge-patch+json";
    const path = objectPath(CONFIG_MAPS, { namespace: this.namespace, name });
    return parseObject(await this.#client.request({ method: "PATCH", path, contentType, body: { data: { value } } }));
  }

  async delete(name: string): Promise<void> {
    await this.#client.request({ method: "DELETE", path: objectPath(CONFIG_MAPS, { namespace: this.namespace, name }) });
  }

  /** What is there, `name -> uid, resourceVersion`. */
  async truth(): Promise<Known> {
    const { objects } = await listAll({ client: this.#client, path: this.path, pageSize: 500, signal: new AbortController().signal });
    return known(objects);
  }
}

export type Known = Readonly<Record<string, string>>;

function known(objects: readonly KubeObject[]): Known {
  const entries = objects.map(({ metadata }) => [objectKey(metadata), `${metadata.uid} ${metadata.resourceVersion}`] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

export type WitnessOptions = Omit<ReflectorOptions, "onEvent" | "logger"> & { readonly logger?: Logger; readonly onHear?: (event: StoreEvent) => void };

/** A reflector, and what somebody knows who only heard its events. */
export class Witness {
  readonly reflector: Reflector;
  readonly events: StoreEvent[] = [];
  readonly #heard = new Map<string, KubeObject>();

  readonly #onHear: ((event: StoreEvent) => void) | undefined;

  constructor({ onHear, ...options }: WitnessOptions) {
    this.#onHear = onHear;
    this.reflector = new Reflector({ logger: silent, ...options, onEvent: (event) => this.#hear(event) });
    this.reflector.start();
  }

  #hear(event: StoreEvent): void {
    this.events.push(event);
    if (event.type === "deleted") this.#heard.delete(event.key);
    else this.#heard.set(event.key, event.object);
    this.#onHear?.(event);
  }

  get cached(): Known {
    return known(this.reflector.store.list());
  }

  get heard(): Known {
    return known([...this.#heard.values()]);
  }

  /** uids of events of a type, in order. */
  told(type: StoreEvent["type"]): string[] {
    return this.events.filter((event) => event.type === type).map((event) => event.object.metadata.uid);
  }
}
