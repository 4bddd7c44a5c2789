import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";

import type { DialplaneOperator } from "../../src/operator/operator.ts";
import { aPool, aTrunk, operatorIn, ROOT, startWorld, type OperatorWorld } from "./world.ts";

/** Every sample that is valid becomes Ready when what it refers to is there and the pods run it. */

interface Named {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

const FOLDER = join(ROOT, "test/crds/valid");
/** The largest comes last: the others need not wait for what it leaves to be tidied up. */
const LARGEST = "pool-one-range-of-a-million.yaml";
const FILES = [...readdirSync(FOLDER).filter((file) => file !== LARGEST).sort(), LARGEST];
const NAMESPACES = ["default", "shop"] as const;

let world: OperatorWorld;
let operator: DialplaneOperator;
/** Aborted when the pods need not report any more. */
const done = new AbortController();
let reporting: Promise<void>;

beforeAll(async () => {
  world = await startWorld();
  operator = await operatorIn(world);
  await world.kube.mustKubectl(["create", "namespace", "shop"]);
  reporting = report();
}, 120_000);
afterAll(async () => {
  done.abort();
  await reporting;
  await operator.ended();
  await world.stop();
});

/** Pods that run whatever there is soon after it is there. */
async function report(): Promise<void> {
  while (!done.signal.aborted) {
    await world.podsRunNewest();
    await sleep(100, undefined, { signal: done.signal }).catch(() => undefined);
  }
}

/** What samples refer to, without a number of theirs; numbers are one for all namespaces. */
function surroundings(namespace: (typeof NAMESPACES)[number]): readonly object[] {
  const numbers = (last: number) => ({ numbers: [`+1303555${(namespace === "shop" ? 100 : 200) + last}0`] });
  const secrets = ["carrier-credentials", "carrier.credentials"].map((name) => ({ apiVersion: "v1", kind: "Secret", metadata: { name }, stringData: { username: "dialplane", password: "secret" } }));
  const labelled = aPool("labelled", numbers(3)) as { readonly metadata: object };
  const objects = [
    ...secrets,
    aTrunk("carrier"),
    aTrunk("pbx", { host: "fd00::99", transport: "TLS" }),
    aPool("sales", numbers(1)),
    aPool("support.emea", numbers(2)),
    { ...labelled, metadata: { ...labelled.metadata, labels: { site: "web", "example.com/team": "" } } },
  ] as { readonly metadata: object }[];
  return objects.map((object) => ({ ...object, metadata: { ...object.metadata, namespace } }));
}

describe("a valid sample", () => {
  test.each(FILES)("%s becomes Ready", async (file) => {
    await world.apply(...NAMESPACES.flatMap(surroundings));
    const path = join(FOLDER, file);
    const objects = parseAllDocuments(readFileSync(path, "utf8")).map((document) => document.toJS() as Named | null).filter((object) => object !== null);
    expect(objects.length).toBeGreaterThan(0);
    await world.kube.mustKubectl(["apply", "-f", path]);
    for (const { kind, metadata } of objects) {
      await world.becomes(kind, metadata.name, { Accepted: "True/Accepted", ResolvedRefs: "True/ResolvedRefs", Programmed: "True/Programmed", Ready: "True/Ready" }, metadata.namespace);
    }
    // The next sample has the same numbers.
    await world.kube.mustKubectl(["delete", "-f", path, "--timeout=60s"]);
  }, 120_000);
});
