import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { refusedWith } from "../adapters/asterisk-config/scenarios.ts";
import { startCarrier, type TestCarrier } from "../harness/carrier.ts";
import { podsReady, startPods, type TestPod } from "../harness/pods.ts";
import { eventually } from "../harness/process.ts";
import { runSipp, startSippServer, type SippServer } from "../harness/sipp.ts";
import { openStream } from "../ingress/event-stream.ts";
import { startReplica, type Replica } from "../ingress/replicas.ts";
import { personToken } from "../ingress/site.ts";
import { aPool, aRule, aTrunk, operatorIn, startWorld, SYSTEM, TEN, type OperatorWorld } from "./world.ts";

/** The nine steps of the claim on Kubernetes resources: kubectl, API server, operator, three Asterisk pods and ingress, all real. */

interface Visitor {
  readonly visitor: unknown;
  readonly device: string;
  readonly number: string;
}

interface CallRow {
  readonly pod: string;
  readonly did: string;
  readonly prospect: string | null;
  readonly ending: string;
  readonly answered_by: string | null;
  readonly bridged: boolean;
}

const ORIGIN = "https://acme.example";
const parts = new AsyncDisposableStack();
let world: OperatorWorld;
let carrier: TestCarrier;
let desks: { readonly first: SippServer; readonly second: SippServer };
let pods: readonly TestPod[];
let ingress: Replica;

vi.setConfig({ testTimeout: 120_000 });

beforeAll(async () => {
  world = await startWorld();
  parts.defer(() => world.stop());
  const operator = await operatorIn(world);
  parts.defer(() => operator.ended().then(() => undefined));
  carrier = parts.use(await startCarrier());
  desks = { first: parts.use(await startSippServer({ scenario: "answer-200.xml" })), second: parts.use(await startSippServer({ scenario: "answer-200.xml" })) };
  pods = await startPods(3, { databaseUrl: world.database.url });
  parts.defer(() => Promise.all(pods.map((pod) => pod.stop())).then(() => undefined));
  ingress = await startReplica({ url: world.database.url });
  parts.defer(() => ingress.stop());
}, 120_000);
afterAll(() => parts.disposeAsync());

function uriOf({ address, port }: SippServer): string {
  return `sip:desk@${address}:${port};transport=udp`;
}

/** The rule is the same object each time: only its destination differs. */
function ruleTo(desk: SippServer): object {
  return aRule("desk", { destinations: [{ name: "desk", sipUri: uriOf(desk) }] });
}

/** What a kubelet does: the operator's Secret becomes files in every pod. */
async function mountTrunks(): Promise<void> {
  const read = () => world.kube.mustKubectl(["-n", SYSTEM, "get", "secret", "dialplane-trunks", "--ignore-not-found", "-o", "jsonpath={.data}"]);
  const data = JSON.parse(await eventually("the Secret for the pods", read, 30_000)) as Record<string, string>;
  const files = Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(text, "base64").toString("utf8")]));
  for (const pod of pods) await pod.trunks.publish(files);
}

async function post(path: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(ingress.url + path, { method: "POST", headers: { Origin: ORIGIN, "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const answer = (await response.json()) as Record<string, unknown>;
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer;
}

/** The page of a person who is logged in asks for a number. */
async function shown(mediaElement: string, who: Partial<Visitor> = {}): Promise<Visitor> {
  const { visitor, device, number } = await post("/v1/numbers", { pool: "default/sales", mediaElement, visitor: who.visitor, device: who.device });
  return { visitor, device: String(device), number: String(number) };
}

async function logIn(subject: string, mediaElement: string): Promise<Visitor> {
  const who = await shown(mediaElement);
  const { visitor } = await post("/v1/identify", { token: personToken(subject), visitor: who.visitor, device: who.device });
  return shown(mediaElement, { ...who, visitor });
}

async function callEachPod(to: string, desk: SippServer): Promise<readonly CallRow[]> {
  const before = await calls();
  for (const { name, sipAddress, sipPort } of pods) {
    const result = await runSipp({ scenario: "call-answered.xml", target: `${sipAddress}:${sipPort}`, to, from: "+13125550123", address: carrier.address, holdMs: 200, timeoutMs: 20_000 });
    expect(result, `a call to ${name}, ${result.errors}`).toMatchObject({ exitCode: 0 });
  }
  const all = await eventually("the records", async () => {
    const now = await calls();
    return now.length === before.length + pods.length ? now : undefined;
  });
  const invited = (await desk.messages()).filter(({ direction, startLine }) => direction === "received" && startLine.startsWith("INVITE"));
  expect(invited.length).toBe(pods.length);
  return all.slice(before.length);
}

function calls(): Promise<CallRow[]> {
  return world.rows<CallRow>(
    `select pod, '+' || did as did, prospect_id::text as prospect, ending, answered_by, bridged_at is not null as bridged
     from call where ended_at is not null order by received_at`,
  );
}

let anna: Visitor;
let annasId: string;

test("step 1: trunk, pool and rule are applied with kubectl and Ready when all three pods run them", async () => {
  const spec = { host: carrier.address, sourceAddresses: [`${carrier.address}/32`], codecs: ["PCMU"], keepAlive: { optionsIntervalSeconds: 5 } };
  await world.apply(aTrunk("carrier", spec), aPool("sales", { ranges: TEN, allowedOrigins: [ORIGIN] }), ruleTo(desks.first));
  await mountTrunks();
  await podsReady(pods);
  for (const [kind, name] of [["trunk", "carrier"], ["np", "sales"], ["rr", "desk"]] as const) {
    await world.becomes(kind, name, { Accepted: "True/Accepted", ResolvedRefs: "True/ResolvedRefs", Programmed: "True/Programmed", Ready: "True/Ready" });
    expect((await world.condition(kind, name, "Programmed"))?.message).toMatch(/^3 of 3 pods run revision/);
  }
});

test("steps 2 to 4: two persons are shown different numbers of the pool, stored with who they are", async () => {
  // The pool is known to ingress as soon as it was told of it.
  await eventually("ingress knows the pool", async () => (await fetch(`${ingress.url}/readyz`)).status === 200);
  anna = await logIn("anna", "header");
  const ben = await logIn("ben", "header");
  expect(ben.number).not.toBe(anna.number);
  const owners = await world.rows<{ did: string; prospect: string }>(
    "select distinct '+' || did as did, prospect_id::text as prospect from association where media_element = 'header' and did in ($1, $2)",
    [anna.number.slice(1), ben.number.slice(1)],
  );
  expect(new Set(owners.map(({ prospect }) => prospect)).size).toBe(2);
  annasId = owners.find(({ did }) => did === anna.number)!.prospect;
});

test("steps 5 and 6: her second device is determined to be online, and shows the same number with the second element", async () => {
  const laptop = await logIn("anna", "header");
  expect(laptop.number).toBe(anna.number);
  const stream = await openStream(ingress.url, laptop.device, { Origin: ORIGIN });
  try {
    await eventually("the laptop is online", async () => (await world.rows("select 1 from device where online_until > clock_timestamp()")).length === 1);
    await shown("pricing", anna);
    expect(await stream.next("number")).toMatchObject({ mediaElement: "pricing", number: anna.number });
  } finally {
    stream.close();
  }
  const rows = await world.rows<{ online: number; before: boolean }>(
    "select cardinality(other_devices_online) as online, determined_at <= shown_at as before from association where media_element = 'pricing'",
  );
  expect(rows).toEqual([{ online: 1, before: true }]);
});

test("steps 7 to 9: her call to any pod is bridged to the desk of the rule, and its record names her", async () => {
  const records = await callEachPod(anna.number, desks.first);
  const expected = { did: anna.number, prospect: annasId, answered_by: uriOf(desks.first), ending: "completed", bridged: true };
  expect(records).toEqual(pods.map(({ name }) => ({ ...expected, pod: name })));
});

test("a rule that is changed with kubectl sends the next call to each pod elsewhere", async () => {
  await world.apply(ruleTo(desks.second));
  const generation = (await world.get("rr", "desk"))!.metadata["generation"];
  await eventually("the change is Programmed", async () => {
    const programmed = await world.condition("rr", "desk", "Programmed");
    return programmed?.status === "True" && programmed.observedGeneration === generation;
  }, 30_000);
  await callEachPod(anna.number, desks.second);
});

test("a number that is taken out of its pool during a call: the call goes on, and its lease is honoured", async () => {
  const [{ sipAddress, sipPort }] = pods as [TestPod];
  const call = runSipp({ scenario: "call-answered.xml", target: `${sipAddress}:${sipPort}`, to: anna.number, from: "+13125550123", address: carrier.address, holdMs: 8_000, timeoutMs: 40_000 });
  const live = () => world.rows("select from call where ended_at is null and bridged_at is not null");
  await eventually("the call is bridged", async () => (await live()).length === 1);
  const numbers = TEN.flatMap(({ from }) => Array.from({ length: 10 }, (_, n) => `+${Number(from.slice(1)) + n}`)).filter((number) => number !== anna.number);
  await world.apply(aPool("sales", { numbers, allowedOrigins: [ORIGIN] }));
  await eventually("the pool says so", async () => (await world.condition("np", "sales", "Ready"))?.message.includes("1 number that was taken out is honoured"), 30_000);
  expect(await live()).toHaveLength(1);
  expect(await call).toMatchObject({ exitCode: 0 });
  await eventually("its record has an end", async () => (await live()).length === 0);
});

test("until its lease ends she still reaches the desk with it, and is known; then the number is nobody's in every pod", async () => {
  const before = (await calls()).length;
  for (const { name, sipAddress, sipPort } of pods) {
    const result = await runSipp({ scenario: "call-answered.xml", target: `${sipAddress}:${sipPort}`, to: anna.number, from: "+13125550123", address: carrier.address, holdMs: 200, timeoutMs: 20_000 });
    expect(result, `a call to ${name}, ${result.errors}`).toMatchObject({ exitCode: 0 });
  }
  const records = await eventually("the records", async () => {
    const all = await calls();
    return all.length === before + pods.length ? all.slice(before) : undefined;
  });
  const expected = { did: anna.number, prospect: annasId, answered_by: uriOf(desks.second), ending: "completed", bridged: true };
  expect(records).toEqual(pods.map(({ name }) => ({ ...expected, pod: name })));

  const newest = async () => (await world.rows<{ hash: string }>("select hash from dialplan order by revision desc limit 1"))[0]!.hash;
  const withIt = await newest();
  // Half an hour is not waited for; the pool is touched so that the operator looks at the lease again.
  await world.rows("update number set leased_until = now() + interval '5 s', free_at = now() + interval '10 s' where not in_service");
  await world.kube.mustKubectl(["label", "np", "sales", "touched=yes"]);
  await eventually("there is another dialplan", async () => (await newest()) !== withIt, 60_000);
  const without = await newest();
  await eventually("all pods run it", async () => (await world.rows("select from pod where running = $1", [without])).length === pods.length);
  for (const { sipAddress, sipPort } of pods) {
    const stranger = { target: `${sipAddress}:${sipPort}`, to: anna.number, from: "+13125550123", address: carrier.address, timeoutMs: 20_000, keys: { headers: "Subject: none" } };
    expect(await runSipp({ ...stranger, scenario: refusedWith(404) })).toMatchObject({ exitCode: 0 });
  }
});
