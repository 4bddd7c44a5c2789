import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import type pg from "pg";

import { ContentType, createKubeClient, type KubeClient } from "../../src/adapters/kubernetes/client.ts";
import { objectPath } from "../../src/adapters/kubernetes/objects.ts";
import { listAll } from "../../src/adapters/kubernetes/list.ts";
import { collectionPath } from "../../src/adapters/kubernetes/objects.ts";
import { connect } from "../../src/adapters/postgres/connect.ts";
import { migrate } from "../../src/adapters/postgres/migrate.ts";
import { TYPES } from "../../src/adapters/kubernetes/kinds.ts";
import { createLogger } from "../../src/shared/logger.ts";
import { startPostgres } from "../../src/standalone/postgres-process.ts";
import { isRecord } from "../../src/shared/json.ts";
import { startControlPlane, type ControlPlane } from "../harness/kube.ts";
import { freeTcpPort } from "../harness/ports.ts";
import { eventually, startProcess, temporaryFolder, type TestProcess } from "../harness/process.ts";

/** How large it is, and how much memory the operator's JavaScript objects may take: left to itself, Node.js keeps garbage as long as the machine has memory. */
export interface Size {
  readonly pools: number;
  readonly rules: number;
  readonly numbers: number;
  readonly heapMegabytes: number;
}

type Say = (text: string) => void;

const LIMIT_MS = 900_000;
const CHANGES = 20;
const TARGET = { seconds: 60, megabytes: 300 } as const;
const ROOT = join(import.meta.dirname, "../..");
const API = "dialplane.io/v1alpha1";
/** Pools of one namespace. */
const A_NAMESPACE = 100;


interface Bench {
  readonly size: Size;
  readonly say: Say;
  readonly kube: ControlPlane;
  readonly client: KubeClient;
  readonly pool: pg.Pool;
  readonly url: string;
}

function namespaceOf(index: number): string {
  return `team-${Math.floor(index / A_NAMESPACE)}`;
}

function* objects(size: Size): Generator<object> {
  const namespaces = Math.ceil(size.pools / A_NAMESPACE);
  for (let n = 0; n < namespaces; n += 1) {
    yield { apiVersion: "v1", kind: "Namespace", metadata: { name: `team-${n}` } };
    yield { apiVersion: API, kind: "SipTrunk", metadata: { name: "carrier", namespace: `team-${n}` }, spec: { host: "192.0.2.10" } };
  }
  const each = size.numbers / size.pools;
  for (let i = 0; i < size.pools; i += 1) {
    const first = 12_020_000_000 + i * each;
    const spec = { ranges: [{ from: `+${first}`, to: `+${first + each - 1}` }], trunkRef: { name: "carrier" }, defaultDestination: { number: "+13125550100" } };
    yield { apiVersion: API, kind: "NumberPool", metadata: { name: `pool-${i}`, namespace: namespaceOf(i) }, spec };
  }
  for (let i = 0; i < size.rules; i += 1) {
    const of = i % size.pools;
    const spec = { poolRefs: [{ name: `pool-${of}` }], priority: i % 7, match: { mediaElements: [`element-${i}`] }, destinations: [{ name: "desk", number: "+13125550142" }] };
    yield { apiVersion: API, kind: "RoutingRule", metadata: { name: `rule-${i}`, namespace: namespaceOf(of) }, spec };
  }
}

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1_000;
};

/** Objects whose status speaks about their present generation. */
async function settled({ client }: Bench): Promise<number> {
  let count = 0;
  for (const type of Object.values(TYPES)) {
    const { objects } = await listAll({ client, path: collectionPath(type), pageSize: 2_000, signal: new AbortController().signal });
    count += objects.filter(({ status, metadata }) => isRecord(status) && status["observedGeneration"] === metadata.generation).length;
  }
  return count;
}

async function megabytes(pid: number, what: "VmHWM" | "VmRSS"): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(new RegExp(`^${what}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? "0") / 1_024);
}

/** Statuses that wait. Asks the operator itself: listing 11,000 objects again and again would be most of what the API server does. */
async function waiting(healthPort: number): Promise<number> {
  const text = await fetch(`http://127.0.0.1:${healthPort}/metrics`).then((answer) => answer.text(), () => "");
  return Number(/^dialplane_operator_queue_depth\{queue="statuses"\} (\d+)$/m.exec(text)?.[1] ?? "Infinity");
}

function startOperator({ kube, url, size }: Bench, healthPort: number): TestProcess {
  const env = { ...process.env, DATABASE_URL: url, KUBECONFIG: kube.kubeconfig, DIALPLANE_HEALTH_PORT: String(healthPort), DIALPLANE_POD_NAME: "bench", DIALPLANE_LOG_LEVEL: "warn" };
  return startProcess([process.execPath, `--max-old-space-size=${size.heapMegabytes}`, "--max-semi-space-size=4", join(ROOT, "src/cli.ts"), "operator"], { env });
}

interface FirstSync {
  readonly databaseSeconds: number;
  readonly statusSeconds: number;
  readonly peakMegabytes: number;
  readonly megabytesAfterwards: number;
}

async function firstSync(bench: Bench, operator: TestProcess, { healthPort, total }: { healthPort: number; total: number }): Promise<FirstSync> {
  const startedAt = performance.now();
  const since = () => (performance.now() - startedAt) / 1_000;
  await eventually("the numbers", async () => (await bench.pool.query("select from revision where value > 0")).rowCount === 1, LIMIT_MS);
  const databaseSeconds = since();
  bench.say(`in the database after ${databaseSeconds.toFixed(1)} s`);
  let statusSeconds = 0;
  const allWritten = async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    statusSeconds = since();
    return (await waiting(healthPort)) === 0 && (await settled(bench)) >= total;
  };
  await eventually("all statuses", allWritten, LIMIT_MS);
  return { databaseSeconds, statusSeconds, peakMegabytes: await megabytes(operator.pid, "VmHWM"), megabytesAfterwards: await megabytes(operator.pid, "VmRSS") };
}

interface Changes {
  readonly medianMs: number;
  readonly slowestMs: number;
  readonly rowsWritten: number;
}

/** From the request until the database has it. */
async function changes(bench: Bench, kind: "RoutingRule" | "NumberPool"): Promise<Changes> {
  const times: number[] = [];
  let rowsWritten = 0;
  for (let i = 0; i < CHANGES; i += 1) {
    const before = (await bench.pool.query<{ value: string; xid: string }>("select value, pg_current_xact_id()::text as xid from revision")).rows[0];
    const name = kind === "RoutingRule" ? `rule-${i}` : `pool-${i}`;
    const spec = kind === "RoutingRule" ? { priority: 100 + i } : { assignment: { leaseSeconds: 3_000 + i } };
    const startedAt = performance.now();
    await bench.client.request({ method: "PATCH", path: objectPath(TYPES[kind], { namespace: namespaceOf(i), name }), contentType: ContentType.MergePatch, body: { spec } });
    await eventually("the change", async () => (await bench.pool.query("select from revision where value > $1::bigint", [before?.value])).rowCount === 1, LIMIT_MS);
    times.push(performance.now() - startedAt);
    rowsWritten = Math.max(rowsWritten, await rowsSince(bench.pool, before?.xid ?? "0"));
  }
  times.sort((a, b) => a - b);
  return { medianMs: Math.round(times[CHANGES / 2] ?? 0), slowestMs: Math.round(times.at(-1) ?? 0), rowsWritten };
}

/** Rows of all tables that were written after a transaction, by their own mark. */
async function rowsSince(pool: pg.Pool, xid: string): Promise<number> {
  const tables = ["revision", "pool", "rule", "trunk", "dialplan", "number", "association", "call", "leadership"];
  const counts = tables.map((table) => `(select count(*) from ${table} where xmin::text::bigint > $1::bigint)`);
  const { rows } = await pool.query<{ rows: string }>(`select ${counts.join(" + ")} as rows`, [xid]);
  return Number(rows[0]?.rows);
}

export interface LargeWorld extends Size {
  readonly kubectlApplySeconds: number;
  readonly firstSync: FirstSync;
  readonly oneRule: Changes;
  readonly onePool: Changes;
  readonly missed: readonly string[];
}

/** What the operator makes of a large world on a real API server and a real Postgres, beside a bare `kubectl apply` of the same objects. */
export async function measureLargeWorld(size: Size, say: Say): Promise<LargeWorld> {
  await using parts = new AsyncDisposableStack();
  const folder = await temporaryFolder("bench-operator");
  parts.defer(() => folder.remove());
  const logger = createLogger("warn");
  const postgres = await startPostgres({ dataDir: join(folder.path, "postgres"), logger });
  parts.defer(() => postgres.stop());
  const kube = parts.use(await startControlPlane());
  const pool = connect(postgres.url, logger, { max: 4, statementTimeoutMilliseconds: 600_000 });
  parts.defer(() => pool.end());
  const config = new KubeConfig();
  config.loadFromFile(kube.kubeconfig);
  const bench: Bench = { size, say, kube, client: createKubeClient(config, logger), pool, url: postgres.url };
  parts.defer(() => bench.client.close());
  await migrate(pool);
  await kube.mustKubectl(["create", "namespace", "dialplane-system"]);
  say(`${size.pools} pools, ${size.rules} rules, ${size.numbers} numbers`);
  const all = [...objects(size)];
  const kubectlApplySeconds = await seconds(() => applyAll(bench, all));
  const healthPort = await freeTcpPort();
  const operator = startOperator(bench, healthPort);
  parts.defer(async () => {
    if (operator.output() !== "") say(operator.output().slice(-2_000));
    await operator.stop();
  });
  const ended = operator.exited.then(({ code, signal }) => Promise.reject(new Error(`the operator ended with ${code ?? signal}`)));
  const sync = await Promise.race([ended, firstSync(bench, operator, { healthPort, total: all.length - Math.ceil(size.pools / A_NAMESPACE) })]);
  ended.catch(() => undefined);
  say(`first sync: ${JSON.stringify(sync)}`);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const oneRule = await changes(bench, "RoutingRule");
  const onePool = await changes(bench, "NumberPool");
  const isMissed = sync.statusSeconds > TARGET.seconds || sync.peakMegabytes > TARGET.megabytes;
  const missed = isMissed ? [`the first sync within ${TARGET.seconds} s and ${TARGET.megabytes} MB of resident memory`] : [];
  return { ...size, kubectlApplySeconds, firstSync: sync, oneRule, onePool, missed };
}

/** In steps: kubectl is ended after a minute in tests. */
async function applyAll({ kube, say }: Bench, all: readonly object[]): Promise<void> {
  for (let from = 0; from < all.length; from += 1_000) {
    await kube.mustKubectl(["apply", "--server-side", "-f", "-"], { stdin: JSON.stringify({ apiVersion: "v1", kind: "List", items: all.slice(from, from + 1_000) }) });
    say(`applied ${Math.min(from + 1_000, all.length)} of ${all.length}`);
  }
}
