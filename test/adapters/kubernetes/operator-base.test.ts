import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { OperatorBase, type OperatorBaseOptions, type ResourceEvent, type ResourceMeta } from "../../../src/adapters/kubernetes/operator-base.ts";
import { startWire } from "../../harness/kube-proxy.ts";
import { eventually } from "../../harness/process.ts";
import { silent } from "../../harness/logger.ts";
import { ConfigMaps, eachWithControlPlane, kubeConfigOf } from "./world.ts";

const LIMIT_MS = 60_000;
vi.setConfig({ testTimeout: 2 * LIMIT_MS });
const FINALIZER = "dialplane.io/test";
const POOLS_CRD = join(import.meta.dirname, "../../../crds/numberpool.yaml");

type Handler = (event: ResourceEvent, operator: ConfigMapOperator) => Promise<void>;

/** As somebody would write it who knows the package. */
class ConfigMapOperator extends OperatorBase {
  readonly events: string[] = [];
  readonly #namespaces: readonly string[];
  readonly #handler: Handler;

  constructor(namespaces: readonly string[], options: Partial<OperatorBaseOptions> = {}, handler: Handler = () => Promise.resolve()) {
    super({ kubeConfig: kubeConfigOf(control.kube.kubeconfig), logger: silent, fieldManager: "test", ...options });
    this.#namespaces = namespaces;
    this.#handler = handler;
  }

  protected override async init(): Promise<void> {
    for (const namespace of this.#namespaces) await this.watchResource("", "v1", "configmaps", (event) => this.#onEvent(event), namespace);
  }

  async #onEvent(event: ResourceEvent): Promise<void> {
    this.events.push(`${event.type} ${event.meta.namespace ?? ""}/${event.meta.name}`);
    await this.#handler(event, this);
  }

  finalize(event: ResourceEvent, action: () => Promise<void>): Promise<boolean> {
    return this.handleResourceFinalizer(event, FINALIZER, action);
  }

  register(file: string) {
    return this.registerCustomResourceDefinition(file);
  }

  uri(): string {
    return this.getCustomResourceApiUri("dialplane.io", "v1alpha1", "numberpools", "shop");
  }
}

class PoolOperator extends OperatorBase {
  seen: ResourceMeta | undefined;

  protected override init(): Promise<void> {
    return this.watchResource("dialplane.io", "v1alpha1", "numberpools", ({ meta }) => {
      this.seen = meta;
      return Promise.resolve();
    });
  }

  set(meta: ResourceMeta, status: unknown) {
    return this.setResourceStatus(meta, status);
  }

  patch(meta: ResourceMeta, status: unknown) {
    return this.patchResourceStatus(meta, status);
  }
}

const control = eachWithControlPlane();
let maps: ConfigMaps;
let namespaces = 0;
const exit = vi.spyOn(process, "exit");

beforeEach(async () => {
  maps = await aNamespace();
});
afterEach(async () => {
  await control.close();
  expect(exit).not.toHaveBeenCalled();
});

async function aNamespace(): Promise<ConfigMaps> {
  namespaces += 1;
  const one = new ConfigMaps(control.direct, `operator-${namespaces}`);
  await one.createNamespace();
  return one;
}

async function started<T extends OperatorBase>(operator: T): Promise<T> {
  control.closing(() => operator.stopped());
  await operator.start();
  await eventually("first list", () => operator.hasSynced, LIMIT_MS);
  return operator;
}

function event(type: string, name: string, { namespace } = maps): string {
  return `${type} ${namespace}/${name}`;
}

test("objects that are there, that come, change and go are told with kind and version", async () => {
  await maps.create("old");
  const metas: ResourceMeta[] = [];
  const operator = await started(new ConfigMapOperator([maps.namespace], {}, ({ meta }) => Promise.resolve(void metas.push(meta))));
  await eventually("the old one", () => operator.events.includes(event("ADDED", "old")), LIMIT_MS);
  await maps.create("new");
  await eventually("the new one", () => operator.events.includes(event("ADDED", "new")), LIMIT_MS);
  await maps.set("new", "2");
  await eventually("the change", () => operator.events.includes(event("MODIFIED", "new")), LIMIT_MS);
  await maps.delete("new");
  await eventually("the end", () => operator.events.includes(event("DELETED", "new")), LIMIT_MS);
  expect(new Set(metas.map(({ id, apiVersion, kind }) => `${id} ${apiVersion} ${kind}`))).toEqual(new Set(["configmaps.v1 v1 ConfigMap"]));
});

test("watches of two namespaces do not take each other's place", async () => {
  const other = await aNamespace();
  const operator = await started(new ConfigMapOperator([maps.namespace, other.namespace]));
  await maps.create("here");
  await other.create("there");
  await eventually("both", () => [event("ADDED", "here"), event("ADDED", "there", other)].every((one) => operator.events.includes(one)), LIMIT_MS);
});

test("a TCP reset, a gap and the end of the operator end no process and lose no delete", async () => {
  await maps.create("gone");
  await maps.create("replaced");
  await using wire = await startWire(control.kube.url);
  const operator = await started(new ConfigMapOperator([maps.namespace], { kubeConfig: kubeConfigOf(control.kube.kubeconfig, { server: wire.url }) }));
  await eventually("both", () => operator.events.length >= 2, LIMIT_MS);
  wire.reset();
  await maps.create("after-reset");
  await eventually("the one after the reset", () => operator.events.includes(event("ADDED", "after-reset")), LIMIT_MS);
  wire.cut();
  await maps.delete("gone");
  await maps.delete("replaced");
  await maps.create("replaced");
  wire.mend();
  await eventually("the end of one", () => operator.events.includes(event("DELETED", "gone")), LIMIT_MS);
  await eventually("the new one of the name", () => operator.events.lastIndexOf(event("ADDED", "replaced")) > operator.events.indexOf(event("DELETED", "replaced")), LIMIT_MS);
  await operator.stopped();
  await operator.stopped();
});

test("a handler that throws is called again, and holds up no other object", async () => {
  let failures = 0;
  const operator = await started(
    new ConfigMapOperator([maps.namespace], {}, ({ meta }) => {
      if (meta.name !== "bad" || (failures += 1) > 3) return Promise.resolve();
      throw new Error("not yet");
    }),
  );
  await maps.create("bad");
  await maps.create("good");
  await eventually("the fourth try", () => failures === 4, LIMIT_MS);
  await eventually("the other one", () => operator.events.includes(event("ADDED", "good")), LIMIT_MS);
});

test("a finalizer holds an object until its delete action has succeeded", async () => {
  let actions = 0;
  const handler: Handler = async (one, operator) => {
    await operator.finalize(one, () => {
      actions += 1;
      return actions < 3 ? Promise.reject(new Error("not yet")) : Promise.resolve();
    });
  };
  const operator = await started(new ConfigMapOperator([maps.namespace], {}, handler));
  await maps.create("held");
  const finalizers = () => control.kube.mustKubectl(["get", "configmap", "-n", maps.namespace, "held", "-o", "jsonpath={.metadata.finalizers}"]);
  await eventually("the finalizer", async () => (await finalizers()).includes(FINALIZER), LIMIT_MS);
  await maps.delete("held");
  await eventually("the end", () => operator.events.includes(event("DELETED", "held")), LIMIT_MS);
  expect(actions).toBe(3);
  expect(await maps.truth()).toEqual({});
});

test("a status is set and patched as it is now, and that of an object that is gone is null", async () => {
  const pool = { apiVersion: "dialplane.io/v1alpha1", kind: "NumberPool", metadata: { name: "sales" }, spec: { numbers: ["+12025550110"], trunkRef: { name: "carrier" }, defaultDestination: { number: "+12025550199" } } };
  await control.kube.mustKubectl(["create", "-f", "-"], { stdin: JSON.stringify(pool) });
  const operator = await started(new PoolOperator({ kubeConfig: kubeConfigOf(control.kube.kubeconfig), logger: silent, fieldManager: "test" }));
  const meta = await eventually("the pool", () => operator.seen, LIMIT_MS);
  const status = async () => JSON.parse(await control.kube.mustKubectl(["get", "numberpool", "sales", "-o", "jsonpath={.status}"])) as unknown;
  const condition = (type: string) => ({ type, status: "True", reason: "Test", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" });
  expect(await operator.set(meta, { conditions: [condition("Ready")] })).toEqual(meta);
  expect(await status()).toEqual({ conditions: [condition("Ready")] });
  await operator.patch(meta, { conditions: [condition("Accepted")] });
  expect(await status()).toEqual({ conditions: [condition("Accepted")] });
  await control.kube.mustKubectl(["delete", "numberpool", "sales"]);
  await control.kube.mustKubectl(["create", "-f", "-"], { stdin: JSON.stringify(pool) });
  expect(await operator.set(meta, { conditions: [condition("Ready")] })).toBeNull();
});

test("a definition is applied, again and again; what is none is refused", async () => {
  const operator = new ConfigMapOperator([]);
  control.closing(() => operator.stopped());
  for (let times = 0; times < 2; times += 1) expect(await operator.register(POOLS_CRD)).toMatchObject({ group: "dialplane.io", plural: "numberpools" });
  await expect(operator.register(join(import.meta.dirname, "../../../examples/quickstart/pool.yaml"))).rejects.toThrow(/must be a CustomResourceDefinition/);
  expect(operator.uri()).toBe(`${control.kube.url}/apis/dialplane.io/v1alpha1/namespaces/shop/numberpools`);
});
