import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { readTerm } from "../../src/adapters/postgres/leadership.ts";
import { startWire } from "../harness/kube-proxy.ts";
import { freeTcpPort } from "../harness/ports.ts";
import { eventually, startProcess, type TestProcess } from "../harness/process.ts";
import { aPool, aRule, aTrunk, ROOT, startWorld, SYSTEM, TEN, type OperatorWorld } from "./world.ts";

const ACCEPTED = { Accepted: "True/Accepted", ResolvedRefs: "True/ResolvedRefs" };
const LEASE_SECONDS = 3;

let world: OperatorWorld;
const running: TestProcess[] = [];
beforeEach(async () => {
  world = await startWorld();
}, 120_000);
afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.stop()));
  await world.stop();
});

async function startOperator(name: string, database = world.database.url): Promise<TestProcess> {
  const env = {
    ...process.env,
    ...{ DATABASE_URL: database, KUBECONFIG: world.kube.kubeconfig, DIALPLANE_POD_NAME: name, DIALPLANE_LOG_LEVEL: "info" },
    ...{ DIALPLANE_LEASE_SECONDS: String(LEASE_SECONDS), DIALPLANE_HEALTH_PORT: String(await freeTcpPort()) },
  };
  const operator = startProcess([process.execPath, join(ROOT, "src/cli.ts"), "operator"], { env });
  running.push(operator);
  return operator;
}

const ofLease = async (field: string) => (await world.kube.kubectl(["get", "lease", "-n", SYSTEM, "dialplane-operator", "-o", `jsonpath={.spec.${field}}`])).stdout;
const holder = async () => (await ofLease("holderIdentity")).split("_")[0];
/** Milliseconds since 1970. */
const leaseTime = async (field: "acquireTime" | "renewTime") => Date.parse(await ofLease(field));
const leads = (name: string) => eventually(`${name} leads`, async () => (await holder()) === name && (await world.rows("select from leadership where holder like $1::text", [`${name}%`])).length === 1, 40_000);
const versions = async () => Promise.all(([["np", "sales"], ["rr", "rule"], ["trunk", "carrier"]] as const).map(async ([kind, name]) => (await world.get(kind, name))?.metadata["resourceVersion"]));
const revision = async () => (await world.rows<{ value: string }>("select value from revision"))[0]?.value;

async function applyWorld(): Promise<void> {
  await world.apply(aTrunk("carrier"), aPool("sales", { ranges: TEN }), aRule("rule"));
  for (const [kind, name] of [["np", "sales"], ["rr", "rule"], ["trunk", "carrier"]] as const) await world.becomes(kind, name, ACCEPTED);
}

/** It can be taken for settled only after a look of the operator at pods and numbers. */
async function settledVersions(): Promise<unknown[]> {
  await eventually("the pool's numbers are told", async () => (await world.get("np", "sales"))?.status?.["numbers"], 20_000);
  return versions();
}

describe("two operators", { timeout: 180_000 }, () => {
  test("one leads; when it is killed the other goes on once its lease is over and not before, and what was right is not written again", async () => {
    const first = await startOperator("first");
    await leads("first");
    await startOperator("second");
    await applyWorld();
    const before = await settledVersions();
    const revisionBefore = await revision();
    first.kill("SIGKILL");
    await first.exited;
    const renewed = await leaseTime("renewTime");
    await leads("second");
    expect((await leaseTime("acquireTime")) - renewed).toBeGreaterThanOrEqual(LEASE_SECONDS * 1_000);
    await world.apply(aPool("more", { ranges: [{ from: "+12025550130", to: "+12025550139" }] }));
    await world.becomes("np", "more", ACCEPTED);
    expect(Number(await revision())).toBe(Number(revisionBefore) + 1);
    expect(await versions()).toEqual(before);
    expect(await world.rows("select count(*)::int as numbers from number")).toEqual([{ numbers: 20 }]);
  });

  test("that is told to end gives the leadership away at once", async () => {
    const first = await startOperator("first");
    await leads("first");
    await startOperator("second");
    first.kill("SIGTERM");
    expect((await first.exited).code).toBe(0);
    expect(["", "second"]).toContain(await holder());
    await leads("second");
  });

  test("a leader whose database was restored, and knows of an earlier term only, begins another term and goes on", async () => {
    await startOperator("first");
    await leads("first");
    await applyWorld();
    const term = (await readTerm(world.database.pool)) ?? 0;
    await world.rows("update leadership set term = term - 1, holder = 'before'");
    await world.apply(aRule("another", { priority: 3 }));
    await world.becomes("rr", "another", ACCEPTED);
    expect(await readTerm(world.database.pool)).toBeGreaterThan(term);
  });

  test("a leader whose database vanished without a word goes on with the one that is there then", async () => {
    const wire = await startWire(world.database.url);
    const through = new URL(world.database.url);
    through.port = new URL(wire.url).port;
    await startOperator("first", through.href);
    await leads("first");
    await applyWorld();
    // Its connections are used now and then, and none is told.
    wire.freeze();
    wire.thaw();
    await world.apply(aRule("rule", { priority: 9 }), aTrunk("another", { host: "192.0.2.77" }));
    await eventually("it is applied", async () => (await world.rows("select from rule where (spec ->> 'priority')::int = 9")).length === 1, 60_000);
    await Promise.all(running.splice(0).map((process) => process.stop()));
    await wire[Symbol.asyncDispose]();
  });

  test("a leader that stood still while another took over writes nothing when it goes on", async () => {
    const first = await startOperator("first");
    await leads("first");
    await applyWorld();
    first.kill("SIGSTOP");
    await startOperator("second");
    await leads("second");
    const term = await readTerm(world.database.pool);
    await world.apply(aRule("rule", { priority: 9 }));
    await eventually("the second applies it", async () => (await world.rows("select from rule where (spec ->> 'priority')::int = 9")).length === 1, 20_000);
    const before = await settledVersions();
    const revisionBefore = await revision();
    first.kill("SIGCONT");
    await eventually("the first sees that it was deposed", () => first.output().includes("no longer leading"), 20_000);
    await world.apply(aRule("another", { priority: 3 }));
    await world.becomes("rr", "another", ACCEPTED);
    expect(await readTerm(world.database.pool)).toBe(term);
    expect(Number(await revision())).toBe(Number(revisionBefore) + 1);
    expect(await versions()).toEqual(before);
    expect(first.output()).not.toContain(`"revision":${await revision()},`);
  });
});
