import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { DialplaneOperator } from "../../src/operator/operator.ts";
import { freeTcpPort } from "../harness/ports.ts";
import { eventually } from "../harness/process.ts";
import { aPool, aRule, aTrunk, operatorIn, ROOT, startWorld, SYSTEM, TEN, type OperatorWorld } from "./world.ts";

let world: OperatorWorld;
let operator: DialplaneOperator;
let health: string;

beforeAll(async () => {
  world = await startWorld();
  const healthPort = await freeTcpPort();
  health = `http://127.0.0.1:${healthPort}`;
  operator = await operatorIn(world, { noticeAfterMs: 6_000, healthPort });
}, 120_000);
afterAll(async () => {
  await operator.ended();
  await world.stop();
});

const GOOD = { Accepted: "True/Accepted", ResolvedRefs: "True/ResolvedRefs" };
const rowsOf = (name: string) => world.rows<{ numbers: number }>(
  "select count(*)::int as numbers from number n join pool p on p.uid = n.pool_uid where p.key = $1::text and n.in_service",
  [`default/${name}`],
);
const numbersOf = async (name: string) => (await rowsOf(name))[0]?.numbers;
/** A number of the pool to somebody. */
const shownOnce = (name: string) => world.rows(
  `insert into association (did, pool_uid, prospect_id, device_id, media_element, attributes, leased_from, other_devices_online, determined_at, shown_at)
   select 12025550180, uid, $2::uuid, $2::uuid, 'x', '{}', now(), '{}', now(), now() from pool where key = $1::text and removed_at is null`,
  [`default/${name}`, randomUUID()],
);
/** Those of the pools of which it is still known what was shown. */
const withHistory = (...names: string[]) => world.rows(
  "select distinct p.key from association a join pool p on p.uid = a.pool_uid where p.key = any ($1::text[])",
  [names.map((name) => `default/${name}`)],
);
const scrape = async () => (await fetch(`${health}/metrics`)).text();
const trunksFile = async () => {
  const data = await world.kube.mustKubectl(["get", "secret", "-n", SYSTEM, "dialplane-trunks", "-o", "jsonpath={.data.trunks\\.conf}"]);
  return Buffer.from(data, "base64").toString("utf8");
};

describe("what is applied to an API server", { timeout: 60_000 }, () => {
  test("the quickstart is accepted, its numbers are in the database, and its trunk in the Secret for the pods", async () => {
    await world.kube.mustKubectl(["apply", "-f", join(ROOT, "examples/quickstart")]);
    for (const [kind, name] of [["trunk", "carrier"], ["np", "sales"], ["rr", "pricing"]] as const) {
      await world.becomes(kind, name, { ...GOOD, Programmed: "Unknown/NoPods" });
    }
    expect(await numbersOf("sales")).toBe(10);
    expect(await world.rows("select key from rule order by key")).toContainEqual({ key: "default/pricing" });
    expect(await trunksFile()).toContain("type = endpoint");
    // Manifests arrive one after the other: what is right a moment later is nobody's business. (The API server now and then tells of its own Service.)
    expect(await world.kube.mustKubectl(["get", "events", "-o", "name", "--field-selector", "involvedObject.apiVersion=dialplane.io/v1alpha1"])).toBe("");
  });

  test("its health and its metrics say that it leads and has read everything", async () => {
    const answer = await fetch(`${health}/readyz`);
    expect(await answer.json()).toMatchObject({ ready: true, parts: { resources: { ready: true }, election: { ready: true } } });
    expect(answer.status).toBe(200);
    const metrics = await scrape();
    expect(metrics).toMatch(/^dialplane_operator_leader 1$/m);
    expect(metrics).toMatch(/^dialplane_operator_objects\{kind="NumberPool"\} 1$/m);
    expect(metrics).toMatch(/^dialplane_operator_reconcile_seconds_count\{outcome="changed"\} [1-9]/m);
    await eventually("the pool's numbers", async () => /^dialplane_pool_numbers\{namespace="default",pool="sales",state="available"\} 10$/m.test(await scrape()), 40_000);
    expect(await scrape()).toMatch(/^dialplane_pool_numbers\{namespace="default",pool="sales",state="leased"\} 0$/m);
    expect(await scrape()).toMatch(/^dialplane_conditions\{kind="NumberPool",namespace="default",type="Programmed",status="Unknown",reason="NoPods"\} 1$/m);
    expect(metrics).toMatch(/^dialplane_operator_queue_depth\{queue="statuses"\} 0$/m);
  });

  test("is Ready when every pod reports that it runs it, and a change of one pool unsettles no other object", async () => {
    await world.apply(aPool("other", { ranges: [{ from: "+12025550130", to: "+12025550139" }] }));
    await world.becomes("np", "other", GOOD);
    await world.podsRunNewest();
    await world.becomes("np", "sales", { Ready: "True/Ready" });
    const settled = async () => [await world.get("np", "sales"), await world.get("rr", "pricing")].map((object) => object?.metadata["resourceVersion"]);
    await world.becomes("rr", "pricing", { Ready: "True/Ready" });
    const before = await settled();
    await world.apply(aPool("other", { ranges: [{ from: "+12025550130", to: "+12025550135" }] }));
    await world.becomes("np", "other", { Programmed: "False/Pending" });
    await world.podsRunNewest();
    await world.becomes("np", "other", { Ready: "True/Ready" });
    expect(await settled()).toEqual(before);
  });

  test("the list of rules names more than one pool", async () => {
    await world.apply(aRule("both", { poolRefs: [{ name: "other" }, { name: "sales" }] }));
    await world.becomes("rr", "both", GOOD);
    expect(await world.kube.mustKubectl(["get", "rr", "both"])).toMatch(/^both .* other, sales +\d+s$/m);
    await world.remove("rr", "both");
  });

  test("a number of two pools stays with the older, the younger says so, an Event too, and it recovers when the older goes", async () => {
    await world.apply(aPool("older", { ranges: [{ from: "+12025550150", to: "+12025550159" }] }));
    await world.becomes("np", "older", GOOD);
    // creationTimestamp counts whole seconds.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await world.apply(aPool("younger", { ranges: [{ from: "+12025550155", to: "+12025550164" }] }));
    await world.becomes("np", "younger", { Accepted: "False/NumberConflict" });
    expect(await numbersOf("younger")).toBe(5);
    expect((await world.condition("np", "younger", "Accepted"))?.message).toContain("+12025550155 to +12025550159 belong to the older pool default/older");
    await eventually("an Event", async () => (await world.kube.mustKubectl(["get", "events", "-o", "jsonpath={.items[*].reason}"])).includes("NumberConflict"), 30_000);
    await world.remove("np", "older");
    await world.becomes("np", "younger", GOOD);
    await eventually("its numbers", async () => (await numbersOf("younger")) === 10);
    await world.remove("np", "younger");
  });

  test("what refers to something missing says what, and is right as soon as it appears", async () => {
    await world.apply(aPool("early", { ranges: [{ from: "+12025550170", to: "+12025550179" }], trunkRef: { name: "late" } }));
    await world.becomes("np", "early", { ResolvedRefs: "False/RefNotFound" });
    expect((await world.condition("np", "early", "ResolvedRefs"))?.message).toBe("SipTrunk default/late does not exist");
    const unresolved = 'dialplane_conditions{kind="NumberPool",namespace="default",type="ResolvedRefs",status="False",reason="RefNotFound"} 1';
    expect(await scrape()).toContain(unresolved);
    await world.apply(aTrunk("late", { authentication: { secretRef: { name: "login" } } }));
    await world.becomes("trunk", "late", { ResolvedRefs: "False/RefNotFound" });
    await world.apply(aSecret("first-password"));
    await world.becomes("trunk", "late", GOOD);
    await world.becomes("np", "early", GOOD);
    expect(await numbersOf("early")).toBe(10);
    expect(await scrape()).not.toContain(unresolved);
  });

  test("a password that is changed reaches the pods' Secret, and nothing else", async () => {
    expect(await trunksFile()).toContain("first-password");
    await world.apply(aSecret("second-password"));
    await eventually("the new password", async () => (await trunksFile()).includes("second-password"), 15_000);
    const everything = await world.kube.mustKubectl(["get", "np,rr,trunk,events", "-o", "json"]);
    expect(everything).not.toMatch(/(first|second)-password/);
    expect(JSON.stringify(await world.rows("select spec from trunk"))).not.toMatch(/(first|second)-password/);
  });

  test("a pool that is deleted takes its own numbers along and nothing of another", async () => {
    await world.remove("np", "early");
    await eventually("its numbers are out of service", async () => (await numbersOf("early")) === 0);
    expect(await world.rows("select key from pool where removed_at is null and key = 'default/early'")).toEqual([]);
    expect(await numbersOf("sales")).toBe(10);
    await world.remove("trunk", "late");
    await eventually("the trunk is gone", async () => (await world.rows("select key from trunk where key = 'default/late'")).length === 0);
    await world.remove("rr", "pricing");
    await eventually("the rule is gone", async () => (await world.rows("select key from rule where key = 'default/pricing'")).length === 0);
  });

  test("history stays when a pool is deleted, unless it says Delete, even if only at the last moment", async () => {
    for (const [name, last] of [["kept", "Retain"], ["dropped", "Delete"]] as const) {
      await world.apply(aPool(name, { ranges: [name === "kept" ? { from: "+12025550180", to: "+12025550184" } : { from: "+12025550185", to: "+12025550189" }] }));
      await world.becomes("np", name, GOOD);
      await shownOnce(name);
      await world.kube.mustKubectl(["patch", "np", name, "--type=merge", "-p", JSON.stringify({ spec: { reclaimPolicy: last } })]);
      await world.remove("np", name);
    }
    expect(await withHistory("kept", "dropped")).toEqual([{ key: "default/kept" }]);
  });

  test("numbers that are taken away while leased are honoured, and the pool says so", async () => {
    await world.apply(aTrunk("carrier"), aPool("lent", { ranges: [{ from: "+12025550190", to: "+12025550194" }] }));
    await world.becomes("np", "lent", GOOD);
    await world.rows(
      `update number set prospect_id = $1::uuid, leased_from = now(), leased_until = now() + interval '1 hour', free_at = now() + interval '2 hours' where did = 12025550194`,
      [randomUUID()],
    );
    await world.apply(aPool("lent", { ranges: [{ from: "+12025550190", to: "+12025550193" }] }));
    await eventually("the pool has four numbers", async () => (await numbersOf("lent")) === 4);
    await world.podsRunNewest();
    await world.becomes("np", "lent", { Ready: "True/Ready" });
    expect((await world.condition("np", "lent", "Ready"))?.message).toBe("4 numbers are in service; 1 number that was taken out is honoured until its lease ends");
  });

  test("what is in force and probably not meant says so", async () => {
    const spec = { numbers: ["+12025550190"], ranges: [{ from: "+12025550190", to: "+12025550193" }], allowedOrigins: ["http://localhost:80800"] };
    await world.apply(aTrunk("keys", { mediaEncryption: "SDES", sourceAddresses: ["198.51.100.7/32"] }), aPool("lent", spec));
    await world.becomes("trunk", "keys", { Accepted: "True/AcceptedWithWarnings" });
    expect((await world.condition("trunk", "keys", "Accepted"))?.message).toMatch(/^the specification is in force; but spec\.transport: should be TLS/);
    await world.becomes("np", "lent", { Accepted: "True/AcceptedWithWarnings" });
    const message = (await world.condition("np", "lent", "Accepted"))?.message;
    expect(message).toMatch(/^the specification is in force; but spec\.ranges\[0\]: should not hold \+12025550190, .*; spec\.allowedOrigins\[0\]: should have a port/);
    expect(await numbersOf("lent")).toBe(4);
    await world.remove("trunk", "keys");
    await world.apply(aPool("lent", { ranges: [{ from: "+12025550190", to: "+12025550193" }] }));
    await world.becomes("np", "lent", GOOD);
  });

  test("a status that somebody writes over is put right", async () => {
    await world.kube.mustKubectl(["patch", "np", "lent", "--subresource=status", "--type=merge", "-p", JSON.stringify({ status: { conditions: [] } })]);
    await world.becomes("np", "lent", GOOD);
  });

  test("a pool that lost its finalizer, and can't be given it again, is out of service and not deleted", async () => {
    await world.apply(aPool("bare", { reclaimPolicy: "Delete", ranges: [{ from: "+12025550197", to: "+12025550198" }] }));
    await world.becomes("np", "bare", GOOD);
    await shownOnce("bare");
    await world.apply(...noFinalizers());
    const addFinalizer = ["patch", "np", "bare", "--type=merge", "-p", '{"metadata":{"finalizers":["example.com/any"]}}', "--dry-run=server"];
    await eventually("the API server refuses finalizers", async () => (await world.kube.kubectl(addFinalizer)).code !== 0, 30_000);
    await world.kube.mustKubectl(["patch", "np", "bare", "--type=merge", "-p", '{"metadata":{"finalizers":null}}']);
    await eventually("its numbers are out of service", async () => (await numbersOf("bare")) === 0, 15_000);
    expect(await withHistory("bare")).toEqual([{ key: "default/bare" }]);
    await world.becomes("np", "bare", { Accepted: "False/Unprotected", Ready: "False/Unprotected" });
    expect((await world.condition("np", "bare", "Ready"))?.message).toMatch(/^out of service until the finalizer dialplane\.io\/numbers can be put on it: .*no-finalizers/);
    await world.kube.mustKubectl(["delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "no-finalizers"]);
    await eventually("its numbers are in service again", async () => (await numbersOf("bare")) === 2, 45_000);
    expect((await world.get("np", "bare"))?.metadata["finalizers"]).toEqual(["dialplane.io/numbers"]);
    await world.becomes("np", "bare", GOOD);
  });

  test("what is deleted and held by somebody else says that it is out of service and by whom, and what refers to it that it goes", async () => {
    await world.apply(aTrunk("held"), aPool("held", { ranges: [{ from: "+12025550160", to: "+12025550161" }], trunkRef: { name: "held" } }), aRule("held", { poolRefs: [{ name: "held" }] }));
    for (const kind of ["trunk", "np", "rr"]) await world.becomes(kind, "held", GOOD);
    const hold = JSON.stringify({ metadata: { finalizers: ["dialplane.io/numbers", "example.com/hold"] } });
    const letGo = (...kinds: string[]) => Promise.all(kinds.map((kind) => world.kube.mustKubectl(["patch", kind, "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}'])));
    await world.kube.mustKubectl(["patch", "np", "held", "--type=merge", "-p", hold]);
    await world.kube.mustKubectl(["delete", "np", "held", "--wait=false"]);
    await world.becomes("np", "held", { Accepted: "True/Accepted", Programmed: "False/Terminating", Ready: "False/Terminating" });
    await eventually("its clean-up is over", async () => (await world.condition("np", "held", "Ready"))?.message === "being deleted; waits for whoever set the finalizer example.com/hold to take it off", 15_000);
    expect(await numbersOf("held") ?? 0).toBe(0);
    await world.becomes("rr", "held", { ResolvedRefs: "False/RefNotUsable", Ready: "False/RefNotUsable" });
    expect((await world.condition("rr", "held", "Ready"))?.message).toBe("NumberPool default/held is being deleted");
    await letGo("np");
    await world.becomes("rr", "held", { ResolvedRefs: "False/RefNotFound" });

    await world.apply(aPool("held", { ranges: [{ from: "+12025550160", to: "+12025550161" }], trunkRef: { name: "held" } }));
    await world.becomes("np", "held", GOOD);
    for (const kind of ["trunk", "rr"]) {
      await world.kube.mustKubectl(["patch", kind, "held", "--type=merge", "-p", '{"metadata":{"finalizers":["example.com/hold"]}}']);
      await world.kube.mustKubectl(["delete", kind, "held", "--wait=false"]);
      await world.becomes(kind, "held", { Ready: "False/Terminating" });
    }
    await world.becomes("np", "held", { ResolvedRefs: "False/RefNotUsable" });
    await letGo("trunk", "rr");
    await world.remove("np", "held");
  });

  test("one object that can't be used holds up no other", async () => {
    await world.apply(aRule("broken", { poolRefs: [{ name: "lent" }], match: { schedule: { timeZone: "Mars/Olympus", windows: [{ days: ["Monday"], from: "09:00", to: "17:00" }] } } }));
    await world.apply(aPool("fine", { ranges: TEN.map(() => ({ from: "+12025550195", to: "+12025550196" })) }));
    await world.becomes("rr", "broken", { Accepted: "False/Invalid" });
    await world.becomes("np", "fine", GOOD);
  });
});

function aSecret(password: string): object {
  return { apiVersion: "v1", kind: "Secret", metadata: { name: "login", namespace: "default" }, stringData: { username: "dialplane", password } };
}

/** As a policy of somebody else's would: pools may not have finalizers. */
function noFinalizers(): readonly object[] {
  const rule = { apiGroups: ["dialplane.io"], apiVersions: ["*"], operations: ["UPDATE"], resources: ["numberpools"] };
  const kind = (name: string) => ({ apiVersion: "admissionregistration.k8s.io/v1", kind: name, metadata: { name: "no-finalizers" } });
  return [
    { ...kind("ValidatingAdmissionPolicy"), spec: { matchConstraints: { resourceRules: [rule] }, validations: [{ expression: "!has(object.metadata.finalizers)" }] } },
    { ...kind("ValidatingAdmissionPolicyBinding"), spec: { policyName: "no-finalizers", validationActions: ["Deny"] } },
  ];
}
