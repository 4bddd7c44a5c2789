import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { KubeClient, KubeRequest } from "../../src/adapters/kubernetes/client.ts";
import { ResourceEventType } from "../../src/adapters/kubernetes/dot-i.ts";
import { StatusWriter } from "../../src/adapters/kubernetes/status.ts";
import { loadSchemas } from "../../src/adapters/manifest/load-schemas.ts";
import type { ResourceStatus } from "../../src/domain/statuses.ts";
import { KubernetesSource } from "../../src/operator/kubernetes-source.ts";
import { StatusPublisher } from "../../src/operator/status-publisher.ts";
import { createLogger } from "../../src/shared/logger.ts";
import { aRule } from "./world.ts";

/** Moments at which a watch shows what it shows. */

const schemas = await loadSchemas();
const logger = createLogger("silent");
const UID = "uid-of-the-rule";
const said = (reason: string) => ({ conditions: [{ type: "Ready", status: "False" as const, reason, message: "", lastTransitionTime: "2026-01-01T00:00:00Z", observedGeneration: 1 }] });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function aPublisher() {
  let version = 1;
  const written: unknown[] = [];
  const request = ({ body }: KubeRequest) => {
    written.push((body as { readonly status: unknown }).status);
    version += 1;
    return Promise.resolve({ metadata: { name: "rule", uid: UID, resourceVersion: String(version) } });
  };
  const client = { request, close: () => undefined } as unknown as KubeClient;
  const source = new KubernetesSource({ client, schemas, logger, hasSynced: () => true });
  const writer = new StatusWriter({ client, fieldManager: "test" });
  const publisher = new StatusPublisher({ source, writer, events: { record: () => undefined }, isLeader: () => true, clock: { now: () => new Date() }, logger, noticeAfterMs: 1_000 });
  const { metadata, ...rule } = aRule("rule") as { readonly metadata: object };
  const shows = (resourceVersion: string, status: object) => {
    const object = { ...rule, metadata: { ...metadata, uid: UID, generation: 1, resourceVersion }, status };
    source.take("RoutingRule", { type: ResourceEventType.Modified, object } as unknown as Parameters<KubernetesSource["take"]>[1]);
  };
  const publish = (reason: string) => publisher.publish([{ metadata: { uid: UID }, status: said(reason) } as unknown as ResourceStatus]);
  return { publisher, written, shows, publish };
}

test("a status that somebody writes over before a watch has shown ours is put right, although nothing else happens", async () => {
  const { publisher, written, shows, publish } = aPublisher();
  shows("1", {});
  publish("Pending");
  await vi.advanceTimersByTimeAsync(100);
  expect(written).toEqual([said("Pending")]);
  // Ours and theirs come as one.
  shows("3", said("Nonsense"));
  await vi.advanceTimersByTimeAsync(25_000);
  expect(written).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(written).toEqual([said("Pending"), said("Pending")]);
  shows("4", said("Pending"));
  await vi.advanceTimersByTimeAsync(120_000);
  expect(written).toHaveLength(2);
  await publisher.stop();
});
