import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";

import { ContentType, type KubeClient, type KubeRequest } from "../../src/adapters/kubernetes/client.ts";
import { eventually } from "../harness/process.ts";
import { aPool, aRule, aTrunk, operatorIn, ROOT, startWorld, SYSTEM, TEN, type OperatorWorld } from "./world.ts";

const MANIFEST = join(ROOT, "deploy/operator-rbac.yaml");
const ACCEPTED = { Accepted: "True/Accepted", ResolvedRefs: "True/ResolvedRefs" };

let world: OperatorWorld;
beforeAll(async () => {
  world = await startWorld();
  await world.kube.mustKubectl(["apply", "--server-side", "-f", MANIFEST]);
}, 120_000);
afterAll(() => world.stop());

test("the operator needs every right of its manifest, and no other", { timeout: 120_000 }, async () => {
  const used = new Set<string>();
  const refusals: string[] = [];
  const kubeconfig = await world.kube.serviceAccountKubeconfig({ namespace: SYSTEM, name: "dialplane-operator" });
  const meddle = meddler({ "/numberpools/sales": ["np", "sales"], "/routingrules/rule/status": ["rr", "rule"], "/siptrunks/carrier/status": ["trunk", "carrier"] });
  const operator = await operatorIn(world, { kubeconfig, noticeAfterMs: 0, client: (real) => watched(real, { used, refusals, meddle }) });

  await world.apply(aTrunk("carrier", { authentication: { secretRef: { name: "login" } } }), aPool("sales", { ranges: TEN }), aRule("rule"));
  await world.becomes("trunk", "carrier", { ResolvedRefs: "False/RefNotFound" });
  const login = { apiVersion: "v1", kind: "Secret", metadata: { name: "login", namespace: "default" }, stringData: { username: "u", password: "p" } };
  await world.apply(login);
  for (const [kind, name] of [["np", "sales"], ["rr", "rule"], ["trunk", "carrier"]] as const) await world.becomes(kind, name, ACCEPTED);
  // The second time is the same trouble again: the Event is counted up when the operator stops.
  for (let times = 0; times < 2; times += 1) {
    await world.remove("secret", "login");
    await world.becomes("trunk", "carrier", { ResolvedRefs: "False/RefNotFound" });
    await world.apply(login);
    await world.becomes("trunk", "carrier", ACCEPTED);
  }
  await world.remove("np", "sales");
  await eventually("a renewed lease", () => used.has("coordination.k8s.io/leases update"), 20_000);
  expect(await operator.ended()).toEqual([]);

  expect(refusals).toEqual([]);
  expect([...used].sort()).toEqual(await granted());
});

/** An API server alone: the built-in roles are put together from these by the controller manager, by their labels. */
test("people have the rights of dialplane-view and dialplane-edit, and nobody that of writing a status", { timeout: 60_000 }, async () => {
  const allowed = async (group: string) => {
    await world.kube.mustKubectl(["create", "clusterrolebinding", group, `--clusterrole=dialplane-${group}`, `--group=${group}`]);
    const answers = ASKED.map(async ([verb, resource, ...more]) => [`${verb} ${[resource, ...more].join("")}`, (await world.kube.kubectl(["auth", "can-i", verb, resource, ...more, "--as=somebody", `--as-group=${group}`])).stdout.trim()]);
    return Object.fromEntries(await Promise.all(answers)) as Record<string, string>;
  };
  expect(await allowed("view")).toMatchObject({ "list numberpools": "yes", "watch siptrunks": "yes", "create routingrules": "no", "patch numberpools--subresource=status": "no" });
  expect(await allowed("edit")).toMatchObject({ "list numberpools": "no", "create routingrules": "yes", "delete siptrunks": "yes", "patch numberpools--subresource=status": "no" });
  const labels = (name: string) => world.kube.mustKubectl(["get", "clusterrole", name, "-o", "jsonpath={.metadata.labels}"]);
  const label = (role: string) => ({ [`rbac.authorization.k8s.io/aggregate-to-${role}`]: "true" });
  expect(JSON.parse(await labels("dialplane-view"))).toEqual({ ...label("view"), ...label("edit"), ...label("admin") });
  expect(JSON.parse(await labels("dialplane-edit"))).toEqual({ ...label("edit"), ...label("admin") });
});

const ASKED = [
  ["list", "numberpools"],
  ["watch", "siptrunks"],
  ["create", "routingrules"],
  ["delete", "siptrunks"],
  ["patch", "numberpools", "--subresource=status"],
] as const;

interface Watch {
  readonly used: Set<string>;
  readonly refusals: string[];
  readonly meddle: (path: string) => Promise<void>;
}

/** Somebody changes an object just before the operator's first write to it, so that it has to be read again. */
function meddler(objects: Readonly<Record<string, readonly [string, string]>>): Watch["meddle"] {
  const left = new Map(Object.entries(objects));
  return async (path) => {
    const found = [...left].find(([end]) => path.endsWith(end));
    if (found === undefined) return;
    left.delete(found[0]);
    await world.kube.mustKubectl(["annotate", ...found[1], "somebody=else"]);
  };
}

/** Notes each right that is used, as "group/resource verb". */
function watched(real: KubeClient, { used, refusals, meddle }: Watch): KubeClient {
  const note = (request: Pick<KubeRequest, "path" | "query" | "contentType"> & { method?: string }) => {
    for (const verb of verbsOf(request)) used.add(`${resourceOf(request.path).resource} ${verb}`);
  };
  return {
    request: async (request) => {
      if (request.method === "PATCH") await meddle(request.path);
      note(request);
      return real.request(request).catch((error: unknown) => {
        if ((error as { status?: number }).status === 403) refusals.push(`${request.method} ${request.path}`);
        throw error;
      });
    },
    watch: (request) => {
      note(request);
      return real.watch(request);
    },
    close: () => real.close(),
  };
}

/** https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb */
function verbsOf({ method = "GET", path, query, contentType }: { method?: string; path: string; query?: KubeRequest["query"]; contentType?: string }): string[] {
  const { name, subresource } = resourceOf(path);
  if (method === "GET") return [query?.["watch"] === true ? "watch" : name === undefined ? "list" : "get"];
  if (method === "PATCH") return contentType === ContentType.ApplyPatch && !subresource ? ["create", "patch"] : ["patch"];
  return [{ POST: "create", PUT: "update", DELETE: "delete" }[method] ?? method];
}

function resourceOf(path: string): { resource: string; name: string | undefined; subresource: boolean } {
  const parts = path.split("/").slice(1);
  const group = parts[0] === "api" ? "" : (parts[1] ?? "");
  const rest = parts.slice(parts[0] === "api" ? 2 : 3);
  const [plural, name, sub] = rest[0] === "namespaces" ? rest.slice(2) : rest;
  return { resource: `${group}/${plural}${sub === undefined ? "" : `/${sub}`}`, name, subresource: sub !== undefined };
}

interface Role {
  readonly metadata: { readonly name: string };
  readonly rules?: readonly { readonly apiGroups: readonly string[]; readonly resources: readonly string[]; readonly verbs: readonly string[] }[];
}

async function granted(): Promise<string[]> {
  const documents = parseAllDocuments(await readFile(MANIFEST, "utf8")).map((document) => document.toJS() as Role);
  const rules = documents.filter(({ metadata }) => metadata.name === "dialplane-operator").flatMap(({ rules = [] }) => rules);
  const rights = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${group}/${resource} ${verb}`))),
  );
  return [...new Set(rights)].sort();
}
