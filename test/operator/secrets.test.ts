import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { join } from "node:path";

import type { KubeClient } from "../../src/adapters/kubernetes/client.ts";
import { KubeError } from "../../src/adapters/kubernetes/kube-error.ts";
import type { DialplaneOperator } from "../../src/operator/operator.ts";
import { eventually } from "../harness/process.ts";
import { aPool, aRule, aTrunk, operatorIn, ROOT, startWorld, SYSTEM, TEN, type OperatorWorld } from "./world.ts";

let world: OperatorWorld;
beforeAll(async () => {
  world = await startWorld();
  await world.kube.mustKubectl(["apply", "--server-side", "-f", join(ROOT, "deploy/operator-rbac.yaml")]);
  await world.apply(aTrunk("carrier", { authentication: { secretRef: { name: "login" } } }), aPool("sales", { ranges: TEN }));
}, 120_000);
afterAll(() => world.stop());

const GOOD = { Accepted: "True/Accepted", ResolvedRefs: "True/ResolvedRefs" };
const said = async () => (await world.condition("trunk", "carrier", "ResolvedRefs"))?.message ?? "";
const trunksFile = async () => {
  const data = await world.kube.mustKubectl(["get", "secret", "-n", SYSTEM, "dialplane-trunks", "-o", "jsonpath={.data.trunks\\.conf}"]);
  return Buffer.from(data, "base64").toString("utf8");
};
const isInService = async () => (await world.rows("select 1 from pool where key = 'default/sales' and removed_at is null")).length === 1;
const aSecret = (stringData: object) => ({ apiVersion: "v1", kind: "Secret", metadata: { name: "login", namespace: "default" }, stringData });
const login = (password: string) => aSecret({ username: "dialplane", password });

describe("a Secret that a trunk names", { timeout: 60_000 }, () => {
  let operator: DialplaneOperator;
  beforeAll(async () => {
    operator = await operatorIn(world);
  }, 60_000);
  afterAll(() => operator.ended());

  test("that was never there takes neither the trunk nor its pool out of service", async () => {
    await world.becomes("trunk", "carrier", { ResolvedRefs: "False/RefNotFound" });
    await world.becomes("np", "sales", GOOD);
    expect(await said()).toBe("Secret default/login does not exist; meanwhile the trunk is used without authentication");
    expect(await isInService()).toBe(true);
    expect(await trunksFile()).toContain("type = endpoint");
    expect(await trunksFile()).not.toContain("type = auth");
  });

  test("that is deleted is used as it was last, and its successor as soon as it is there", async () => {
    await world.apply(login("first-password"));
    await world.becomes("trunk", "carrier", GOOD);
    const before = await trunksFile();
    expect(before).toContain("first-password");
    await world.remove("secret", "login");
    await world.becomes("trunk", "carrier", { ResolvedRefs: "False/RefNotFound" });
    expect(await said()).toBe("Secret default/login does not exist; meanwhile the trunk is used with the credentials that were seen last");
    expect(await trunksFile()).toBe(before);
    expect(await world.conditions("np", "sales")).toMatchObject(GOOD);
    await world.apply(login("second-password"));
    await world.becomes("trunk", "carrier", GOOD);
    await eventually("the new password", async () => (await trunksFile()).includes("second-password"), 15_000);
  });

  test("that becomes invalid is used as it was last, and the trunk says what is wrong and no value", async () => {
    const before = await trunksFile();
    await world.apply(login("third-password\n"));
    await world.becomes("trunk", "carrier", { ResolvedRefs: "False/SecretInvalid", Ready: "False/SecretInvalid" });
    await eventually("the trunk says so", async () => (await said()).includes("data.password must be a string of 1 to 256 characters"), 15_000);
    await world.remove("secret", "login");
    await world.apply(aSecret({ username: "dialplane", token: "third-password" }));
    await eventually("the trunk says so", async () => (await said()).includes("Secret default/login can't be used: it must have the key password"), 15_000);
    expect(await said()).not.toContain("third");
    expect(await trunksFile()).toBe(before);
    expect(await isInService()).toBe(true);
  });

  test("is forgotten when the trunk names another", async () => {
    await world.apply(aTrunk("carrier", { authentication: { secretRef: { name: "other" } } }));
    await eventually("nothing is used", async () => !(await trunksFile()).includes("second-password"), 15_000);
    await world.apply(aTrunk("carrier", { authentication: { secretRef: { name: "login" } } }));
    await eventually("the trunk says so", async () => (await said()).endsWith("the trunk is used without authentication"), 15_000);
  });
});

test("an operator that starts beside an API server in trouble waits for the Secrets, and takes no authentication away", { timeout: 60_000 }, async () => {
  await world.apply(login("third-password"));
  const before = await operatorIn(world);
  await eventually("the password", async () => (await trunksFile()).includes("third-password"), 15_000);
  expect(await before.ended()).toEqual([]);
  const file = await trunksFile();
  let failures = 5;
  const client = (real: KubeClient): KubeClient => ({
    request: (request) => (request.path.endsWith("/secrets") && failures-- > 0 ? Promise.reject(new KubeError(500, "InternalError", "no quorum")) : real.request(request)),
    watch: (request) => real.watch(request),
    close: () => real.close(),
  });
  const operator = await operatorIn(world, { client });
  await eventually("everything was read", () => failures < 0, 30_000);
  await world.becomes("trunk", "carrier", GOOD);
  // Each file that is written has a revision of its own.
  expect(await trunksFile()).toBe(file);
  expect(await operator.ended()).toEqual([]);
});

test("a right to read Secrets that is taken away takes no trunk's credentials away, and a new operator goes on without", { timeout: 120_000 }, async () => {
  await world.apply(login("fourth-password"));
  const kubeconfig = await world.kube.serviceAccountKubeconfig({ namespace: SYSTEM, name: "dialplane-operator" });
  const cut = breakable();
  const first = await operatorIn(world, { kubeconfig, client: cut.client });
  await world.becomes("trunk", "carrier", GOOD);
  await eventually("the password", async () => (await trunksFile()).includes("fourth-password"), 15_000);
  await world.kube.mustKubectl(["patch", "clusterrole", "dialplane-operator", "--type=json", "-p", JSON.stringify([{ op: "remove", path: "/rules/3" }])]);
  cut.now();
  await eventually("the trunk says so", async () => /can't be read: .* forbidden.*; meanwhile the trunk is used with the credentials/.test(await said()), 30_000);
  expect(await world.conditions("trunk", "carrier")).toMatchObject({ ResolvedRefs: "False/SecretUnreadable", Ready: "False/SecretUnreadable" });
  expect(await trunksFile()).toContain("fourth-password");
  expect(await first.ended()).toEqual([]);

  const second = await operatorIn(world, { kubeconfig });
  await eventually("the trunk says so", async () => /can't be read: .* forbidden.*; meanwhile the trunk is used without authentication/.test(await said()), 30_000);
  await eventually("the trunk without it", async () => !(await trunksFile()).includes("type = auth"), 15_000);
  expect(await isInService()).toBe(true);
  // As docs/cluster.md says: a right to this Secret by its name does as well.
  await world.apply(...onlyThisSecret());
  await world.becomes("trunk", "carrier", GOOD);
  expect(await second.ended()).toEqual([]);
});

test("a right to write the rendered trunks that is missing holds up nothing else, and is what trunks say; given, it is used", { timeout: 120_000 }, async () => {
  const kubeconfig = await world.kube.serviceAccountKubeconfig({ namespace: SYSTEM, name: "dialplane-operator" });
  const role = await world.kube.mustKubectl(["get", "role", "-n", SYSTEM, "dialplane-operator", "-o", "json"]);
  const { rules } = JSON.parse(role) as { readonly rules: readonly { readonly resources: readonly string[] }[] };
  const index = rules.findIndex(({ resources }) => resources.includes("secrets"));
  await world.kube.mustKubectl(["patch", "role", "-n", SYSTEM, "dialplane-operator", "--type=json", "-p", JSON.stringify([{ op: "remove", path: `/rules/${index}` }])]);
  const operator = await operatorIn(world, { kubeconfig });
  const before = await trunksFile();
  await world.apply(aTrunk("carrier", { port: 5070 }), aPool("second", { ranges: [{ from: "+12025550170", to: "+12025550172" }] }));
  const programmed = async () => (await world.condition("trunk", "carrier", "Programmed"))?.message ?? "";
  await eventually("the trunk says so", async () => /Secret dialplane-system\/dialplane-trunks can't be written: .*forbidden/.test(await programmed()), 30_000);
  await world.becomes("trunk", "carrier", { ...GOOD, Programmed: "False/ProgrammingFailed" });
  await world.becomes("np", "second", GOOD);
  expect(await world.rows("select 1 from number where pool_uid = (select uid from pool where key = 'default/second')")).toHaveLength(3);
  expect(await trunksFile()).toBe(before);
  await world.kube.mustKubectl(["patch", "role", "-n", SYSTEM, "dialplane-operator", "--type=json", "-p", JSON.stringify([{ op: "add", path: "/rules/-", value: rules[index] }])]);
  await eventually("the new port", async () => (await trunksFile()).includes(":5070"), 30_000);
  await world.becomes("trunk", "carrier", { ...GOOD, Programmed: "Unknown/NoPods" });
  expect(await operator.ended()).toEqual([]);
});

test("an admission webhook that fails on Secrets holds up nothing but the rendered trunks", { timeout: 120_000 }, async () => {
  await world.kube.mustKubectl(["create", "-f", "-"], { stdin: JSON.stringify(failingWebhook()) });
  const patch = ["patch", "secret", "-n", SYSTEM, "dialplane-trunks", "--type=merge", "-p", "{}"];
  await eventually("the API server asks it", async () => /failed calling webhook/.test((await world.kube.kubectl(patch)).stderr), 30_000);
  const operator = await operatorIn(world);
  await world.apply(aTrunk("carrier", { port: 5080 }), aPool("third", { ranges: [{ from: "+12025550180", to: "+12025550182" }] }), aRule("third", { poolRefs: [{ name: "third" }] }));
  await world.becomes("trunk", "carrier", { ...GOOD, Programmed: "False/ProgrammingFailed" });
  expect((await world.condition("trunk", "carrier", "Programmed"))?.message).toMatch(/dialplane-trunks can't be written: .*failed calling webhook "secrets\.policy\.example"/);
  for (const kind of ["np", "rr"]) await world.becomes(kind, "third", GOOD);
  expect(await world.rows("select 1 from rule where key = 'default/third'")).toHaveLength(1);
  await world.kube.mustKubectl(["delete", "validatingwebhookconfiguration", "secrets"]);
  await eventually("the new port", async () => (await trunksFile()).includes(":5080"), 30_000);
  expect(await operator.ended()).toEqual([]);
});

/** Of a policy agent that is down. */
function failingWebhook(): object {
  const rules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["secrets"] }];
  const policy = { failurePolicy: "Fail", sideEffects: "None", admissionReviewVersions: ["v1"], timeoutSeconds: 2 };
  const webhooks = [{ name: "secrets.policy.example", rules, clientConfig: { url: "https://127.0.0.1:1/validate" }, ...policy }];
  return { apiVersion: "admissionregistration.k8s.io/v1", kind: "ValidatingWebhookConfiguration", metadata: { name: "secrets" }, webhooks };
}

/** A client whose open watches over Secrets end when asked to: an API server looks at rights when a watch begins. */
function breakable(): { readonly client: (real: KubeClient) => KubeClient; readonly now: () => void } {
  let broken = new AbortController();
  const client = (real: KubeClient): KubeClient => ({
    request: (request) => real.request(request),
    watch: (request) => real.watch(request.path.endsWith("/secrets") ? { ...request, signal: AbortSignal.any([request.signal, broken.signal]) } : request),
    close: () => real.close(),
  });
  const now = () => {
    broken.abort();
    broken = new AbortController();
  };
  return { client, now };
}

function onlyThisSecret(): readonly object[] {
  const [apiVersion, metadata] = ["rbac.authorization.k8s.io/v1", { name: "dialplane-carriers", namespace: "default" }];
  const subjects = [{ kind: "ServiceAccount", name: "dialplane-operator", namespace: SYSTEM }];
  return [
    { apiVersion, kind: "Role", metadata, rules: [{ apiGroups: [""], resources: ["secrets"], resourceNames: ["login"], verbs: ["list", "watch"] }] },
    { apiVersion, kind: "RoleBinding", metadata, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name }, subjects },
  ];
}
