import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { OperatorBase, type OperatorBaseOptions, type ResourceEvent, type ResourceMeta } from "../../../src/adapters/kubernetes/operator-base.ts";
import { startWire } from "../../harness/kube-proxy.ts";
import { eventually } from "../../harness/process.ts";
import { silent } from "../../harness/logger.ts";
import { ConfigMaps, eachWithControlPlane, kubeConfigOf } from "./world.ts";

const LIMIT_MS = 60_000;
vi.setConfig({ testTimeout: 2 * LIMIT_MS });

type Handler = (event: ResourceEvent) => Promise<void>;

/** As somebody would write it who knows the package. */
class ConfigMapOperator extends OperatorBase {
  readonly events: string[] = [];
  readonly #namespaces: readonly string[];
  readonly #handler: Handler;

  constructor(namespaces: readonly string[], options: Partial<OperatorBaseOptions> = {}, handler: Handler = () => Promise.resolve()) {
    super({ kubeConfig: kubeConfigOf(control.kube.kubeconfig), logger: silent, ...options });
    this.#namespaces = namespaces;
    this.#handler = handler;
  }

  protected override async init(): Promise<void> {
    for (const namespace of this.#namespaces) await this.watchResource("", "v1", "configmaps", (event) => this.#onEvent(event), namespace);
  }

  async #onEvent(event: ResourceEvent): Promise<void> {
    this.events.push(`${event.type} ${event.meta.namespace ?? ""}/${event.meta.name}`);
    await this.#handler(event);
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

test("what the package does unsafely is refused, with what to use instead", () => {
  class Unsafe extends ConfigMapOperator {
    unsafe(): readonly (() => void)[] {
      return [
        () => this.getCustomResourceApiUri(),
        () => this.registerCustomResourceDefinition(),
        () => this.setResourceStatus(),
        () => this.patchResourceStatus(),
        () => this.handleResourceFinalizer(),
        () => this.setResourceFinalizers(),
      ];
    }
  }
  const operator = new Unsafe([]);
  control.closing(() => operator.stopped());
  for (const call of operator.unsafe()) expect(call).toThrow(/is not for use here: use /);
});
