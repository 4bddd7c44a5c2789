import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { KubeClient, KubeRequest } from "../../../src/adapters/kubernetes/client.ts";
import { EventRecorder, type EventInput } from "../../../src/adapters/kubernetes/events.ts";
import { KubeError } from "../../../src/adapters/kubernetes/kube-error.ts";
import { addFinalizer, removeFinalizer } from "../../../src/adapters/kubernetes/finalizer.ts";
import { listAll } from "../../../src/adapters/kubernetes/list.ts";
import { collectionPath, objectPath, parseObject, type KubeObject } from "../../../src/adapters/kubernetes/objects.ts";
import { LAG_MILLISECONDS, StatusWriter, type ObjectRef } from "../../../src/adapters/kubernetes/status.ts";
import { ruleConditions, rulePoolStatuses, type RuleFacts } from "../../../src/domain/conditions-kinds.ts";
import { type ControlPlane, startControlPlane } from "../../harness/kube.ts";
import { startWire } from "../../harness/kube-proxy.ts";
import { eventually } from "../../harness/process.ts";
import { listeningLogger, silent } from "../../harness/logger.ts";
import { clientOf, CONFIG_MAPS, ConfigMaps, POOLS } from "./world.ts";

const FINALIZER = "dialplane.io/numbers";

let kube: ControlPlane;
let client: KubeClient;
let pools = 0;
let pool: KubeObject;

beforeAll(async () => {
  kube = await startControlPlane();
  client = clientOf(kube.kubeconfig);
});
afterAll(async () => {
  client.close();
  await kube.stop();
});
beforeEach(async () => {
  pools += 1;
  pool = await createPool(`pool-${pools}`);
});

async function createPool(name: string): Promise<KubeObject> {
  const spec = { numbers: ["+12025550110"], trunkRef: { name: "carrier" }, defaultDestination: { number: "+12025550199" } };
  const body = { apiVersion: "dialplane.io/v1alpha1", kind: "NumberPool", metadata: { name }, spec };
  return parseObject(await client.request({ method: "POST", path: collectionPath(POOLS, "default"), body }));
}

async function read(name = pool.metadata.name): Promise<KubeObject> {
  return parseObject(await client.request({ method: "GET", path: objectPath(POOLS, { namespace: "default", name }) }));
}

async function remove(object = pool): Promise<void> {
  await client.request({ method: "DELETE", path: objectPath(POOLS, object.metadata) });
}

function refTo(object = pool): ObjectRef {
  return { type: POOLS, kind: "NumberPool", namespace: "default", name: object.metadata.name, uid: object.metadata.uid };
}

/** A client whose requests are counted; `before` may do something ahead of each. */
function watched(before: (request: KubeRequest) => Promise<unknown> = () => Promise.resolve()): KubeClient & { readonly sent: KubeRequest[] } {
  const sent: KubeRequest[] = [];
  const request = async (one: KubeRequest) => {
    await before(one);
    sent.push(one);
    return client.request(one);
  };
  return { ...client, request, sent };
}

describe("a request", () => {
  test.each([
    ["what is not there", { method: "GET", path: objectPath(POOLS, { namespace: "default", name: "nothing" }) }, { status: 404, reason: "NotFound" }],
    ["what breaks a rule of the definition", { method: "POST", path: collectionPath(POOLS, "default"), body: { apiVersion: "dialplane.io/v1alpha1", kind: "NumberPool", metadata: { name: "bad" }, spec: {} } }, { status: 422, reason: "Invalid" }],
    ["no path of an API", { method: "GET", path: "/apis/nobody.example/v1/things" }, { status: 404 }],
  ] as const)("that asks for %s fails with the API server's reason", async (_what, request, error) => {
    await expect(client.request(request)).rejects.toMatchObject({ name: "KubeError", ...error });
  });

  test("of somebody without rights fails with 403 and says whose right is missing", async () => {
    const stranger = clientOf(await kube.userKubeconfig("stranger"));
    await expect(stranger.request({ method: "GET", path: collectionPath(POOLS) })).rejects.toMatchObject({ status: 403, message: expect.stringContaining("stranger") as string });
    stranger.close();
  });

  test("shares its connection with the next one", async () => {
    await using wire = await startWire(kube.url);
    const one = clientOf(kube.kubeconfig, { server: wire.url });
    for (let index = 0; index < 50; index += 1) await one.request({ method: "GET", path: "/version" });
    expect(wire.opened()).toBe(1);
    one.close();
  });

  test("that gets no answer fails in its time", async () => {
    await using wire = await startWire(kube.url);
    const one = clientOf(kube.kubeconfig, { server: wire.url });
    await one.request({ method: "GET", path: "/version" });
    wire.freeze();
    await expect(one.request({ method: "GET", path: "/version", timeoutMs: 200 })).rejects.toMatchObject({ status: 0, reason: "Timeout" });
    one.close();
  });
});

describe("a list", () => {
  const signal = new AbortController().signal;
  let maps: ConfigMaps;
  beforeAll(async () => {
    maps = new ConfigMaps(client, "lists");
    await maps.createNamespace();
    for (let index = 0; index < 11; index += 1) await maps.create(`map-${String(index).padStart(2, "0")}`);
  });

  test.each([1, 3, 11, 500])("in pages of %i holds every object once, in order", async (pageSize) => {
    const { objects, resourceVersion } = await listAll({ client, path: maps.path, pageSize, signal });
    expect(objects.map(({ metadata }) => metadata.name)).toEqual(Array.from({ length: 11 }, (_, index) => `map-${String(index).padStart(2, "0")}`));
    expect(resourceVersion).toMatch(/^[0-9]+$/);
  });

  test("whose pages expire on the way is read again, at last all at once", async () => {
    let refused = 0;
    const expiring: KubeClient = {
      ...client,
      request: async (request) => {
        if (request.query?.["continue"] === undefined) return client.request(request);
        refused += 1;
        return client.request({ ...request, query: { ...request.query, continue: "bm90IGEgdG9rZW4" } }).catch((error: unknown) => {
          throw Object.assign(error as Error, { status: 410, reason: "Expired" });
        });
      },
    };
    const { objects } = await listAll({ client: expiring, path: maps.path, pageSize: 3, signal });
    expect(objects).toHaveLength(11);
    expect(refused).toBe(2);
  });
});

describe("a status", () => {
  const ready = (reason: string) => ({
    conditions: [{ type: "Ready", status: "False", reason, message: "", lastTransitionTime: "2026-01-01T00:00:00Z", observedGeneration: 1 }],
  });

  test("is written once, and then only when it says something else", async () => {
    const counted = watched();
    const writer = new StatusWriter({ client: counted, fieldManager: "dialplane-operator" });
    expect(await writer.write(refTo(), ready("Pending"), pool)).toBe("written");
    // The cache still has the object of before.
    expect(await writer.write(refTo(), ready("Pending"), pool)).toBe("awaited");
    const shown = await read();
    expect(shown["status"]).toEqual(ready("Pending"));
    expect(await writer.write(refTo(), ready("Pending"), shown)).toBe("unchanged");
    expect(await writer.write(refTo(), ready("Programmed"), shown)).toBe("written");
    expect(counted.sent).toHaveLength(2);
    expect((await read())["status"]).toEqual(ready("Programmed"));
  });

  test("that somebody overwrote is set right", async () => {
    const writer = new StatusWriter({ client, fieldManager: "dialplane-operator" });
    await writer.write(refTo(), ready("Pending"), pool);
    await writer.write(refTo(), ready("Pending"), await read());
    const patch = ["patch", "numberpool", pool.metadata.name, "--subresource=status", "--type=merge", "-p"];
    await kube.mustKubectl([...patch, JSON.stringify({ status: ready("Nonsense") })]);
    expect(await writer.write(refTo(), ready("Pending"), await read())).toBe("written");
    expect((await read())["status"]).toEqual(ready("Pending"));
  });

  test("that somebody overwrote before a watch had shown it is set right when it would have", async () => {
    let now = 0;
    const writer = new StatusWriter({ client, fieldManager: "dialplane-operator", monotonic: () => now });
    await writer.write(refTo(), ready("Pending"), pool);
    await kube.mustKubectl(["patch", "numberpool", pool.metadata.name, "--subresource=status", "--type=merge", "-p", JSON.stringify({ status: ready("Nonsense") })]);
    expect(await writer.write(refTo(), ready("Pending"), await read())).toBe("awaited");
    now += LAG_MILLISECONDS;
    expect(await writer.write(refTo(), ready("Pending"), await read())).toBe("written");
  });

  test("of a deleted object is not written, and never into its successor of the same name", async () => {
    const writer = new StatusWriter({ client, fieldManager: "dialplane-operator" });
    await remove();
    expect(await writer.write(refTo(), ready("Pending"), pool)).toBe("gone");
    const successor = await createPool(pool.metadata.name);
    expect(await writer.write(refTo(), ready("Pending"), pool)).toBe("gone");
    expect((await read())["status"]).toBeUndefined();
    expect(await writer.write(refTo(successor), ready("Pending"), successor)).toBe("written");
  });

  test("of a rule that takes a thousand pools is stored, with its owners of fields far below the 1.5 MB of etcd", async () => {
    const type = { ...POOLS, plural: "routingrules" };
    const spec = { poolSelector: {}, destinations: [{ name: "desk", number: "+12025550142" }] };
    const rule = parseObject(await client.request({ method: "POST", path: collectionPath(type, "default"), body: { apiVersion: "dialplane.io/v1alpha1", kind: "RoutingRule", metadata: { name: "large" }, spec } }));
    const pools = Array.from({ length: 1_003 }, (_, n) => ({ key: `default/${String(n).padStart(63, "x")}`, accepted: n % 2 === 0, inService: true }));
    const running = { revision: "abc", readyPods: 1, pods: 1, error: null };
    const facts: RuleFacts = { generation: 1, now: new Date(), previous: [], problems: [], warnings: [], missing: [], unusable: [], terminating: [], programming: running, pools };
    const problems = Array.from({ length: 2_000 }, (_, n) => `spec.destinations[${n}].sipUri: must be another`);
    const writer = new StatusWriter({ client, fieldManager: "dialplane-operator" });
    for (const now of [facts, { ...facts, problems }]) {
      const ref = { type, kind: "RoutingRule", namespace: "default", name: "large", uid: rule.metadata.uid };
      expect(await writer.write(ref, { conditions: ruleConditions(now), pools: rulePoolStatuses(now, []) }, rule)).toBe("written");
      const stored = await client.request({ method: "GET", path: objectPath(type, rule.metadata) });
      expect(JSON.stringify(stored).length).toBeLessThan(800_000);
    }
  });

  test("does not touch the spec, and a spec that changed meanwhile is no conflict", async () => {
    const writer = new StatusWriter({ client, fieldManager: "dialplane-operator" });
    await kube.mustKubectl(["patch", "numberpool", pool.metadata.name, "--type=merge", "-p", '{"spec":{"numbers":["+12025550111"]}}']);
    expect(await writer.write(refTo(), ready("Pending"), pool)).toBe("written");
    expect((await read())["spec"]).toMatchObject({ numbers: ["+12025550111"] });
  });
});

describe("a finalizer", () => {
  test("is added once, holds the object, and lets it go", async () => {
    const held = await addFinalizer(client, POOLS, pool, FINALIZER);
    expect(held?.metadata.finalizers).toEqual([FINALIZER]);
    expect((await addFinalizer(client, POOLS, held ?? pool, FINALIZER))?.metadata.resourceVersion).toBe(held?.metadata.resourceVersion);
    await remove();
    const leaving = await read();
    expect(leaving.metadata.deletionTimestamp).toBeDefined();
    await removeFinalizer(client, POOLS, leaving, FINALIZER);
    await expect(read()).rejects.toMatchObject({ status: 404 });
  });

  test("of one who read before another wrote loses neither: conflicts are read again", async () => {
    const contenders = ["example.com/a", "example.com/b", "example.com/c", FINALIZER];
    const results = await Promise.all(contenders.map((finalizer) => addFinalizer(client, POOLS, pool, finalizer)));
    expect(results).not.toContain(null);
    expect((await read()).metadata.finalizers?.toSorted()).toEqual(contenders.toSorted());
    await Promise.all(contenders.map((finalizer) => removeFinalizer(client, POOLS, pool, finalizer)));
    expect((await read()).metadata.finalizers ?? []).toEqual([]);
  });

  test("is not claimed to be there when others never leave the object alone", async () => {
    let label = 0;
    const disturbed = watched(async ({ method }) => {
      if (method !== "PATCH") return;
      label += 1;
      await kube.mustKubectl(["label", "numberpool", pool.metadata.name, "--overwrite", `disturbed=${label}`]);
    });
    await expect(addFinalizer(disturbed, POOLS, pool, FINALIZER)).rejects.toThrow(/could not be changed: others changed the object 5 times/);
    expect((await read()).metadata.finalizers).toBeUndefined();
  });

  test("is not put on an object that goes, is gone, or is another one by now", async () => {
    await addFinalizer(client, POOLS, pool, "example.com/other");
    await remove();
    expect(await addFinalizer(client, POOLS, pool, FINALIZER)).toBeNull();
    await removeFinalizer(client, POOLS, pool, "example.com/other");
    expect(await addFinalizer(client, POOLS, pool, FINALIZER)).toBeNull();
    const successor = await createPool(pool.metadata.name);
    expect(await addFinalizer(client, POOLS, pool, FINALIZER)).toBeNull();
    expect(await removeFinalizer(client, POOLS, pool, FINALIZER)).toBeNull();
    expect((await read()).metadata.resourceVersion).toBe(successor.metadata.resourceVersion);
  });
});

describe("an event", () => {
  const clock = { now: () => new Date() };
  const options = { controller: "dialplane.io/operator", instance: "operator-0", clock };
  const conflict = (note = "number is held by default/older"): EventInput => ({ regarding: refTo(), type: "Warning", reason: "NumberConflict", action: "Reconcile", note });

  async function eventsOf(uid: string): Promise<{ note?: string; series?: { count: number }; reason: string }[]> {
    const { objects } = await listAll({ client, path: "/apis/events.k8s.io/v1/namespaces/default/events", pageSize: 500, signal: new AbortController().signal });
    return objects.filter((event) => (event["regarding"] as { uid: string }).uid === uid) as unknown as { reason: string }[];
  }

  test("is what kubectl shows of the object; repeated, it is counted", async () => {
    const recorder = new EventRecorder({ client, logger: silent, ...options });
    recorder.record(conflict());
    await eventually("event", async () => (await eventsOf(pool.metadata.uid)).length === 1);
    for (let index = 0; index < 4; index += 1) recorder.record(conflict());
    await recorder.stop();
    expect(await eventsOf(pool.metadata.uid)).toMatchObject([{ reason: "NumberConflict", note: "number is held by default/older", series: { count: 5 } }]);
    expect(await kube.mustKubectl(["events", "--for", `numberpool/${pool.metadata.name}`])).toContain("NumberConflict");
  });

  test("of a note longer than the API takes is cut, control characters too", async () => {
    const recorder = new EventRecorder({ client, logger: silent, ...options });
    recorder.record(conflict(`line\nbreak ${"é".repeat(2_000)}`));
    await recorder.stop();
    const [event] = await eventsOf(pool.metadata.uid);
    expect(event?.note).toMatch(/^line break é+\.\.\.$/);
  });

  test("floods end at 25 different ones an object", async () => {
    const recorder = new EventRecorder({ client, logger: silent, ...options });
    for (let index = 0; index < 60; index += 1) recorder.record(conflict(`number ${index}`));
    await recorder.stop();
    expect(await eventsOf(pool.metadata.uid)).toHaveLength(25);
  });

  test("that can't be recorded stops nobody and is recorded with the next round", async () => {
    const logger = listeningLogger();
    let failing = true;
    const half: KubeClient = {
      ...client,
      request: async (request) => {
        const answer = await client.request(request);
        // Stored, yet the answer is lost on the way.
        if (failing) throw new Error("no answer");
        return answer;
      },
    };
    const recorder = new EventRecorder({ client: half, logger, ...options });
    recorder.record(conflict());
    await eventually("warning", () => logger.said.some(({ message }) => message === "event not recorded"));
    failing = false;
    recorder.record(conflict());
    await recorder.stop();
    expect(await eventsOf(pool.metadata.uid)).toHaveLength(1);
    expect(logger.said.filter(({ level }) => level === "warn")).toHaveLength(1);
  });

  test("that can't be recorded again and again is let go, and a later one is tried", async () => {
    let [tries, isRefused] = [0, true];
    const refusing: KubeClient = {
      ...client,
      request: (request) => {
        tries += 1;
        return isRefused ? Promise.reject(new KubeError(403, "Forbidden", "events is forbidden")) : client.request(request);
      },
    };
    const recorder = new EventRecorder({ client: refusing, logger: silent, seriesMs: 10, ...options });
    recorder.record(conflict());
    await eventually("five tries", () => tries === 5);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(tries).toBe(5);
    isRefused = false;
    recorder.record(conflict());
    await eventually("the later one", async () => (await eventsOf(pool.metadata.uid)).length === 1);
    await recorder.stop();
    expect(tries).toBe(6);
  });
});

test("paths name hostile parts as one part", () => {
  expect(objectPath(CONFIG_MAPS, { namespace: "a/../b", name: "x?y" })).toBe("/api/v1/namespaces/a%2F..%2Fb/configmaps/x%3Fy");
});
