import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";

import type { KubeClient } from "../../src/adapters/kubernetes/client.ts";
import { ResourceEventType } from "../../src/adapters/kubernetes/dot-i.ts";
import { loadSchemas } from "../../src/adapters/manifest/load-schemas.ts";
import type { Declared } from "../../src/domain/ports.ts";
import { KubernetesSource } from "../../src/operator/kubernetes-source.ts";
import { createLogger } from "../../src/shared/logger.ts";
import { aPool, TEN } from "./world.ts";

/** What a reader waits for, one after the other; nobody asks whether it has come. */

const schemas = await loadSchemas();
const FINALIZER = "dialplane.io/numbers";

function aSource() {
  let isSynced = false;
  const source = new KubernetesSource({ client: {} as KubeClient, schemas, logger: createLogger("silent"), hasSynced: () => isSynced });
  const { metadata, ...pool } = aPool("sales", { ranges: TEN }) as { readonly metadata: object };
  const shows = (finalizers: readonly string[]) => {
    const object = { ...pool, metadata: { ...metadata, uid: "uid", generation: 1, resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z", finalizers } };
    source.take("NumberPool", { type: ResourceEventType.Modified, object } as unknown as Parameters<KubernetesSource["take"]>[1]);
  };
  const sync = () => {
    isSynced = true;
    source.look();
  };
  let answer: Declared | undefined;
  void source.read().then((declared) => (answer = declared));
  /** After whatever is told has been heard. */
  const read = async () => {
    await sleep(1);
    return answer;
  };
  return { source, shows, sync, read };
}

test("a reader waits until everything was told", async () => {
  const { sync, read } = aSource();
  expect(await read()).toBeUndefined();
  sync();
  expect(await read()).toMatchObject({ resources: [] });
});

test("a reader waits for a finalizer that is on its way, and hears of the pool with it", async () => {
  const { source, shows, sync, read } = aSource();
  shows([]);
  source.awaitFinalizer("uid", true);
  sync();
  expect(await read()).toBeUndefined();
  shows([FINALIZER]);
  const declared = await read();
  expect(declared?.unreadable).toEqual([]);
  expect(declared?.resources).toMatchObject([{ kind: "NumberPool", metadata: { name: "sales" } }]);
});

test("a reader waits no more for a finalizer that can't be written, nor when it is stopped", async () => {
  const refused = aSource();
  refused.shows([]);
  refused.source.awaitFinalizer("uid", true);
  refused.sync();
  expect(await refused.read()).toBeUndefined();
  refused.source.awaitFinalizer("uid", false);
  expect(await refused.read()).toMatchObject({ resources: [], unreadable: [{ uid: "uid", kind: "NumberPool", key: "default/sales" }] });
  const stopped = aSource();
  await stopped.source.stop();
  expect(await stopped.read()).toBeDefined();
});
