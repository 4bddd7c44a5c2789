import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";

import { freeTcpPort } from "../harness/ports.ts";
import { aPool, aTrunk, operatorIn, ROOT, startWorld, SYSTEM, TEN, type OperatorWorld } from "./world.ts";

let world: OperatorWorld;
beforeAll(async () => {
  world = await startWorld();
  await world.kube.mustKubectl(["apply", "--server-side", "-f", join(ROOT, "deploy/operator-rbac.yaml")]);
  for (const namespace of ["shop", "support"]) await world.kube.mustKubectl(["create", "namespace", namespace]);
}, 120_000);
afterAll(() => world.stop());

const GOOD = { Accepted: "True/Accepted", ResolvedRefs: "True/ResolvedRefs" };
const within = (namespace: string, object: object) => ({ ...object, metadata: { ...(object as { readonly metadata: object }).metadata, namespace } });

test("an operator that watches two namespaces needs rights in these only, and touches nothing elsewhere", { timeout: 120_000 }, async () => {
  const document = await readFile(join(ROOT, "docs/cluster.md"), "utf8");
  const binding = /## Several installations[\s\S]*?```yaml\n([\s\S]*?)```/.exec(document)?.[1] ?? "";
  const { metadata, ...rest } = parse(binding) as { readonly metadata: { readonly name: string; readonly namespace: string } };
  await world.kube.mustKubectl(["delete", "clusterrolebinding", "dialplane-operator"]);
  await world.apply(...["shop", "support"].map((namespace) => ({ ...rest, metadata: { ...metadata, namespace } })));
  const numbers = { shop: TEN, support: [{ from: "+12025550120", to: "+12025550129" }], default: [{ from: "+12025550130", to: "+12025550139" }] };
  for (const [namespace, ranges] of Object.entries(numbers)) await world.apply(within(namespace, aTrunk("carrier")), within(namespace, aPool("sales", { ranges })));
  const healthPort = await freeTcpPort();
  const kubeconfig = await world.kube.serviceAccountKubeconfig({ namespace: SYSTEM, name: "dialplane-operator" });
  const operator = await operatorIn(world, { kubeconfig, watchNamespaces: "shop,support", healthPort });
  for (const namespace of ["shop", "support"]) await world.becomes("np", "sales", GOOD, namespace);
  expect(await world.rows("select key from pool where removed_at is null order by key")).toEqual([{ key: "shop/sales" }, { key: "support/sales" }]);
  const elsewhere = await world.get("np", "sales");
  expect(elsewhere).not.toBeNull();
  expect([elsewhere?.status, elsewhere?.metadata["finalizers"]]).toEqual([undefined, undefined]);
  const metrics = await (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text();
  expect(metrics).toMatch(/^dialplane_operator_objects\{kind="NumberPool"\} 2$/m);
  expect(metrics).toMatch(/^dialplane_operator_watch_failures\{kind="NumberPool"\} 0$/m);
  expect(await operator.ended()).toEqual([]);
});
