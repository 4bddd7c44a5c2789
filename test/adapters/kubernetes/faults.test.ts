import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { createKubeClient, type KubeClient } from "../../../src/adapters/kubernetes/client.ts";
import { addFinalizer, removeFinalizer } from "../../../src/adapters/kubernetes/finalizer.ts";
import { objectPath, parseObject } from "../../../src/adapters/kubernetes/objects.ts";
import { WorkQueue } from "../../../src/adapters/kubernetes/work-queue.ts";
import { type Front, startFront, startWire, type Wire } from "../../harness/kube-proxy.ts";
import { eventually } from "../../harness/process.ts";
import { listeningLogger } from "../../harness/logger.ts";
import { clientOf, CONFIG_MAPS, ConfigMaps, eachWithControlPlane, tokenFileConfig, Witness, type WitnessOptions } from "./world.ts";

const LIMIT_MS = 60_000;
vi.setConfig({ testTimeout: 3 * LIMIT_MS });

const control = eachWithControlPlane({ definitions: false });
let quiet: { readonly maps: ConfigMaps; readonly witness: Witness; readonly since: number };


let namespaces = 0;
let maps: ConfigMaps;
let witness: Witness | undefined;

beforeEach(async () => {
  namespaces += 1;
  maps = new ConfigMaps(control.direct, `faults-${namespaces}`);
  await maps.createNamespace();
  for (let index = 0; index < 10; index += 1) await maps.create(`old-${index}`);
});
afterEach(async () => {
  await witness?.reflector.stop();
  witness = undefined;
});

/** A witness that knows all that is there and watches. */
async function witnessBehind(client: KubeClient, options: Partial<WitnessOptions> = {}): Promise<Witness> {
  control.closing(() => client.close());
  const one = new Witness({ client, path: maps.path, ...options });
  witness = one;
  await eventually("first watch", () => one.reflector.state.watching, LIMIT_MS);
  expect(one.heard).toEqual(await maps.truth());
  return one;
}

/** Objects come, change and go; one goes and another comes under its name. */
async function changeTheWorld(): Promise<void> {
  for (const name of ["new-0", "new-1", "new-2"]) await maps.create(name);
  for (const name of ["old-0", "old-1", "new-0"]) await maps.set(name, "2");
  for (const name of ["old-2", "old-3", "new-1"]) await maps.delete(name);
  await maps.delete("old-4");
  await maps.create("old-4", "another");
}

interface Right {
  readonly fault: string;
  readonly healedAt: number;
  readonly how: string;
}

/** Waits until cache and events are as the API server is, and records how long it took; `how` may name what it then was. */
async function rightAgain(one: Witness, { fault, healedAt, how }: Right): Promise<void> {
  const truth = await maps.truth();
  const same = () => JSON.stringify([one.cached, one.heard]) === JSON.stringify([truth, truth]);
  await eventually(`recovery from ${fault}`, same, LIMIT_MS).catch(() => undefined);
  const rightAfterMs = performance.now() - healedAt;
  const lost = Object.keys({ ...truth, ...one.heard }).filter((name) => truth[name] !== one.heard[name]);
  control.outcomes.push({ fault, lost, rightAfterMs, how });
  expect(one.heard).toEqual(truth);
  expect(one.cached).toEqual(truth);
  expectNothingToldTwice(one);
}

/** Who is gone was told so once, who came was told so once, and the one that took a name is another. */
function expectNothingToldTwice(one: Witness): void {
  const [added, deleted] = [one.told("added"), one.told("deleted")];
  expect(new Set(added).size).toBe(added.length);
  expect(new Set(deleted).size).toBe(deleted.length);
  expect(deleted.filter((uid) => !added.includes(uid))).toEqual([]);
}

/** uids of those whose end must have been told. */
async function uidsOf(...names: string[]): Promise<string[]> {
  const truth = await maps.truth();
  return names.map((name) => truth[`${maps.namespace}/${name}`]?.split(" ")[0] ?? "?");
}

async function wire(): Promise<Wire> {
  const one = await startWire(control.kube.url);
  control.closing(async () => one[Symbol.asyncDispose]());
  return one;
}

async function front(): Promise<{ readonly front: Front; readonly client: KubeClient }> {
  const one = await startFront({ url: control.kube.url, ca: control.kube.ca });
  control.closing(async () => one[Symbol.asyncDispose]());
  const tokenFile = await tokenIn(await folder(), "front");
  return { front: one, client: createKubeClient(tokenFileConfig({ server: one.url, ca: control.kube.ca, tokenFile }), listeningLogger()) };
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "dialplane-token-"));
  control.closing(() => rm(path, { recursive: true }));
  return path;
}

/** A service account that may read the ConfigMaps of the namespace. */
async function tokenIn(path: string, name: string, lifetime = 3600): Promise<string> {
  const namespace = maps.namespace;
  const token = await control.kube.serviceAccountToken({ namespace, name, lifetime });
  const made = [
    ["role", "reader", "--verb=list,watch", "--resource=configmaps"],
    ["rolebinding", "reader", "--role=reader", `--serviceaccount=${namespace}:${name}`],
  ];
  for (const args of made) {
    const stdin = await control.kube.mustKubectl(["create", ...args, "-n", namespace, "--dry-run=client", "-o", "json"]);
    await control.kube.mustKubectl(["apply", "-f", "-"], { stdin });
  }
  await writeFile(join(path, "token"), token);
  return join(path, "token");
}

test("a witness in a namespace where nothing happens begins to wait", async () => {
  const path = new ConfigMaps(control.direct, maps.namespace);
  quiet = { maps: path, witness: new Witness({ client: control.direct, path: path.path }), since: performance.now() };
  await eventually("first watch", () => quiet.witness.reflector.state.watching, LIMIT_MS);
});

describe("a broken connection", () => {
  test("a TCP reset of the watch costs a new watch, not a list", async () => {
    const line = await wire();
    const one = await witnessBehind(clientOf(control.kube.kubeconfig, { server: line.url }));
    const healedAt = performance.now();
    line.reset();
    await changeTheWorld();
    await rightAgain(one, { fault: "TCP reset of a watch, changes right after it", healedAt, how: "goes on from the last resourceVersion" });
    expect(one.reflector.state).toMatchObject({ lists: 1, failures: 0 });
    expect(one.reflector.state.watches).toBeGreaterThan(1);
  });

  test("what is deleted while nobody can watch is told as deleted", async () => {
    const line = await wire();
    const one = await witnessBehind(clientOf(control.kube.kubeconfig, { server: line.url }));
    const gone = await uidsOf("old-2", "old-3", "old-4");
    line.cut();
    await changeTheWorld();
    await eventually("failed tries", () => one.reflector.state.failures >= 3, LIMIT_MS);
    const healedAt = performance.now();
    line.mend();
    await rightAgain(one, { fault: "no connection for some tries, DELETEs meanwhile", healedAt, how: "goes on from the last resourceVersion" });
    expect(one.told("deleted")).toEqual(expect.arrayContaining(gone));
  });

  test("a peer that died without a word is given up after the time of quiet", async () => {
    const line = await wire();
    const one = await witnessBehind(clientOf(control.kube.kubeconfig, { server: line.url }), { quietMs: 1_500 });
    const healedAt = performance.now();
    line.freeze();
    await changeTheWorld();
    line.thaw();
    await rightAgain(one, { fault: "connection dead without a word (limit of quiet 1.5 s here, 90 s by default)", healedAt, how: "no byte in time: a new watch" });
    expect(one.reflector.state.watches).toBeGreaterThan(1);
  });
});

describe("an API server in trouble", () => {
  const answers = {
    "500s to every list and watch": { status: 500, body: "{}" },
    "429 with Retry-After: 1": { status: 429, headers: { "Retry-After": "1" }, body: "{}" },
    "502 with a page of a load balancer": { status: 502, headers: { "Content-Type": "text/html" }, body: "<html>Bad Gateway</html>" },
    "200 with something else than JSON": { status: 200, body: "<html>Welcome</html>\n" },
  } as const;

  test.each(Object.entries(answers))("%s: what was known stays, what changed is told after it", async (fault, answer) => {
    const { front: proxy, client } = await front();
    const one = await witnessBehind(client);
    const before = one.cached;
    proxy.answerWith(() => answer);
    proxy.breakOff();
    await changeTheWorld();
    await eventually("failed tries", () => one.reflector.state.failures >= 3, LIMIT_MS);
    expect(one.cached).toEqual(before);
    const healedAt = performance.now();
    proxy.pass();
    await rightAgain(one, { fault: `${fault}, three and more`, healedAt, how: "tries again, with longer and longer waits" });
  });

  test("a watch that is refused with 410 is replaced by a list and its differences", async () => {
    const { front: proxy, client } = await front();
    const one = await witnessBehind(client);
    const gone = { kind: "Status", apiVersion: "v1", status: "Failure", reason: "Expired", code: 410, message: "too old resource version: 1 (2)" };
    const event = `${JSON.stringify({ type: "ERROR", object: gone })}\n`;
    proxy.answerWith(({ isWatch }) => (isWatch ? { status: 503, body: "{}" } : undefined));
    proxy.breakOff();
    await eventually("a failed try", () => one.reflector.state.failures >= 1, LIMIT_MS);
    await changeTheWorld();
    let refusals = 0;
    const healedAt = performance.now();
    proxy.answerWith(({ isWatch }) => (isWatch && (refusals += 1) === 1 ? { status: 200, body: event } : undefined));
    await rightAgain(one, { fault: "410 Gone as an event of a watch", healedAt, how: "a list, differences told" });
    expect(one.reflector.state.lists).toBe(2);
  });
});

describe("credentials", () => {
  test("an expired token is replaced by the one that is in the file by then", async () => {
    const path = await folder();
    const tokenFile = await tokenIn(path, "short", 3);
    const client = createKubeClient(tokenFileConfig({ server: control.kube.url, ca: control.kube.ca, tokenFile }), listeningLogger());
    const one = await witnessBehind(client, { watchSeconds: { least: 2, most: 2 } });
    await eventually("refusal of the token", () => one.reflector.state.lastError?.status === 401, LIMIT_MS);
    await changeTheWorld();
    await tokenIn(path, "short");
    const healedAt = performance.now();
    await rightAgain(one, { fault: "token expired, changes before there is a new one", healedAt, how: "a 401 makes it read the file again" });
  });
});

describe("our own faults", () => {
  test("a listener that throws at everything misses nothing, and neither does the cache", async () => {
    const logger = listeningLogger();
    let thrown = 0;
    const onHear = () => {
      thrown += 1;
      throw new Error("of a listener");
    };
    const one = await witnessBehind(clientOf(control.kube.kubeconfig), { logger, onHear });
    const healedAt = performance.now();
    await changeTheWorld();
    await rightAgain(one, { fault: "a listener that throws at every event", healedAt, how: "logged; the next event is told" });
    expect(logger.said.filter(({ level }) => level === "error").length).toBe(thrown);
    expect(one.reflector.state).toMatchObject({ failures: 0, lists: 1, watches: 1 });
  });

  test("a handler that throws three times at each object ends up right for every one", async () => {
    const seen = new Map<string, number>();
    const right = new Map<string, string>();
    const queue = new WorkQueue({
      name: "test",
      workers: 4,
      logger: listeningLogger(),
      handle: (key) => {
        seen.set(key, (seen.get(key) ?? 0) + 1);
        if ((seen.get(key) ?? 0) <= 3) throw new Error("not yet");
        right.set(key, one.reflector.store.get(key)?.metadata.resourceVersion ?? "gone");
        return Promise.resolve();
      },
    });
    control.closing(() => queue.stop());
    const one = await witnessBehind(clientOf(control.kube.kubeconfig), { onHear: ({ key }) => queue.add(key) });
    const healedAt = performance.now();
    await changeTheWorld();
    const truth = await maps.truth();
    const changed = ["old-0", "old-1", "old-2", "old-3", "old-4", "new-0", "new-1", "new-2"].map((name) => `${maps.namespace}/${name}`);
    const wanted = new Map(changed.map((key) => [key, truth[key]?.split(" ")[1] ?? "gone"]));
    await eventually("all handled", () => changed.every((key) => right.get(key) === wanted.get(key)), LIMIT_MS).catch(() => undefined);
    control.outcomes.push({
      fault: "a handler that throws three times at each object",
      lost: changed.filter((key) => right.get(key) !== wanted.get(key)),
      rightAfterMs: performance.now() - healedAt,
      how: "each object waits for itself, longer and longer",
    });
    expect(Object.fromEntries(right)).toMatchObject(Object.fromEntries(wanted));
  });
});

test("a conflict on a finalizer: of four who write at the same moment nobody's is lost", async () => {
  const object = await maps.create("contended");
  const finalizers = ["a", "b", "c", "d"].map((name) => `example.com/${name}`);
  const healedAt = performance.now();
  await Promise.all(finalizers.map((finalizer) => addFinalizer(control.direct, CONFIG_MAPS, object, finalizer)));
  const rightAfterMs = performance.now() - healedAt;
  const stored = parseObject(await control.direct.request({ method: "GET", path: objectPath(CONFIG_MAPS, object.metadata) }));
  const lost = finalizers.filter((finalizer) => stored.metadata.finalizers?.includes(finalizer) !== true);
  control.outcomes.push({ fault: "conflict on a finalizer, four writers at once", lost, rightAfterMs, how: "read again after a 409, the list written whole" });
  expect(lost).toEqual([]);
  await Promise.all(finalizers.map((finalizer) => removeFinalizer(control.direct, CONFIG_MAPS, stored, finalizer)));
  await maps.delete("contended");
  expect(Object.keys(await maps.truth())).not.toContain(`${maps.namespace}/contended`);
});

test("a watch in which nothing happens for more than 30 s is still the first one, and tells the next event", async () => {
  const { witness: one, maps: itsMaps, since } = quiet;
  await eventually("30 s of quiet", () => performance.now() - since > 31_000, LIMIT_MS);
  const healedAt = performance.now();
  await itsMaps.set("old-0", "at last");
  await eventually("event", () => one.told("modified").length === 1, LIMIT_MS);
  control.outcomes.push({ fault: "30 s of quiet", lost: [], rightAfterMs: performance.now() - healedAt, how: "the same watch tells the next event" });
  expect(one.reflector.state).toMatchObject({ lists: 1, watches: 1, failures: 0 });
  await one.reflector.stop();
});

describe("an API server that goes", () => {
  test("takes the history between two watches along: after a real 410 the differences are told", async () => {
    const line = await wire();
    const one = await witnessBehind(clientOf(control.kube.kubeconfig, { server: line.url }));
    const gone = await uidsOf("old-2", "old-3", "old-4");
    line.cut();
    await changeTheWorld();
    await control.kube.etcd.compact();
    await control.kube.restartApiServer();
    const healedAt = performance.now();
    line.mend();
    await rightAgain(one, { fault: "410 Gone: etcd compacted, API server restarted, DELETEs meanwhile", healedAt, how: "a list, differences told" });
    expect(one.reflector.state.lists).toBe(2);
    expect(one.told("deleted")).toEqual(expect.arrayContaining(gone));
  });

  test("and comes back after SIGKILL costs no event", async () => {
    const one = await witnessBehind(clientOf(control.kube.kubeconfig));
    await changeTheWorld();
    await control.kube.restartApiServer("SIGKILL");
    const healedAt = performance.now();
    await maps.set("old-5", "after the restart");
    await rightAgain(one, { fault: "API server killed and started again", healedAt, how: "goes on from the last resourceVersion" });
  });

  test("is asked again for a minute, with waits no longer than the longest", async () => {
    const one = await witnessBehind(clientOf(control.kube.kubeconfig));
    const before = one.cached;
    const downAt = performance.now();
    await control.kube.stopApiServer();
    await eventually("many failed tries", () => one.reflector.state.failures >= 6, LIMIT_MS);
    expect(one.cached).toEqual(before);
    expect(one.reflector.state).toMatchObject({ synced: true, watching: false, lastError: { reason: "Unreachable" } });
    await eventually("a minute", () => performance.now() - downAt > 60_000, 2 * LIMIT_MS);
    expect(one.cached).toEqual(before);
    await control.kube.startApiServer();
    const healedAt = performance.now();
    const seconds = Math.round((healedAt - downAt) / 1_000);
    await changeTheWorld();
    await rightAgain(one, { fault: `API server down for ${seconds} s`, healedAt, how: "tries again every 2.5 to 5 s at the latest" });
  });
});
