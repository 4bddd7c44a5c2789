import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";

import { ContentType, createKubeClient } from "../../src/adapters/kubernetes/client.ts";
import { objectPath, parseObject } from "../../src/adapters/kubernetes/objects.ts";
import { connect } from "../../src/adapters/postgres/connect.ts";
import { migrate } from "../../src/adapters/postgres/migrate.ts";
import { readOperatorConfig } from "../../src/operator/config.ts";
import { TYPES } from "../../src/adapters/kubernetes/kinds.ts";
import { startOperator } from "../../src/operator/operator.ts";
import { createLogger } from "../../src/shared/logger.ts";
import { startPostgres } from "../../src/standalone/postgres-process.ts";
import { isRecord } from "../../src/shared/json.ts";
import { startControlPlane } from "../harness/kube.ts";
import { startPods, podsReady } from "../harness/pods.ts";
import { freeTcpPort } from "../harness/ports.ts";
import { eventually, temporaryFolder } from "../harness/process.ts";

const PODS = 3;
const TARGET = { p50: 500, p99: 2_000 } as const;
const LIMIT_MS = 60_000;
const API = "dialplane.io/v1alpha1";
const POOL = { namespace: "default", name: "sales" };

const logger = createLogger("error");

export interface Rollout {
  readonly pods: number;
  readonly changes: number;
  /** From the request until every Asterisk was verified to run it. */
  readonly verifiedMs: Percentiles;
  /** Until the resource's own condition says so. */
  readonly conditionMs: Percentiles;
  readonly missed: readonly string[];
}

interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** From a change of a resource on a real API server until three real Asterisk instances were verified to run it. */
export async function measureRollout(changes: number, say: (text: string) => void): Promise<Rollout> {
  await using parts = new AsyncDisposableStack();
  const folder = await temporaryFolder("bench-rollout");
  parts.defer(() => folder.remove());
  const postgres = await startPostgres({ dataDir: join(folder.path, "postgres"), logger });
  parts.defer(() => postgres.stop());
  const kube = parts.use(await startControlPlane());
  const pool = connect(postgres.url, logger, { max: 4 });
  parts.defer(() => pool.end());
  await migrate(pool);
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(kube.kubeconfig);
  const client = createKubeClient(kubeConfig, logger);
  parts.defer(() => client.close());
  await kube.mustKubectl(["create", "namespace", "dialplane-system"]);
  const operator = await startOperator(
    readOperatorConfig({ DATABASE_URL: postgres.url, DIALPLANE_POD_NAME: "bench", DIALPLANE_HEALTH_PORT: String(await freeTcpPort()) }),
    { kubeConfig, logger },
  );
  parts.defer(() => operator.ended().then(() => undefined));
  const pods = await startPods(PODS, { databaseUrl: postgres.url });
  parts.defer(() => Promise.all(pods.map((pod) => pod.stop())).then(() => undefined));
  const spec = { ranges: [{ from: "+12025550110", to: "+12025550119" }], trunkRef: { name: "carrier" }, defaultDestination: { number: "+12025550199" } };
  const items = [
    { apiVersion: API, kind: "SipTrunk", metadata: { name: "carrier", namespace: "default" }, spec: { host: "127.0.0.1" } },
    { apiVersion: API, kind: "NumberPool", metadata: POOL, spec },
  ];
  await kube.mustKubectl(["apply", "--server-side", "-f", "-"], { stdin: JSON.stringify({ apiVersion: "v1", kind: "List", items }) });

  // What a kubelet does: the operator's Secret becomes files in the pods.
  const secretPath = "/api/v1/namespaces/dialplane-system/secrets/dialplane-trunks";
  const secret = await eventually("the trunks' Secret", () => client.request({ method: "GET", path: secretPath }).catch(() => undefined), LIMIT_MS);
  const data = isRecord(secret) && isRecord(secret["data"]) ? secret["data"] : {};
  for (const pod of pods) await pod.trunks.publish(Object.fromEntries(Object.entries(data).map(([name, text]) => [name, Buffer.from(String(text), "base64").toString("utf8")])));
  await podsReady(pods);

  /** All pods were verified to run the newest dialplan, and it has this number in it. */
  const allRun = async (number: string) => {
    const { rows } = await pool.query<{ running: number; has: boolean }>(
      "select (select count(*)::int from pod where running = d.hash) as running, position($1::text in d.content) > 0 as has from dialplan d order by d.revision desc limit 1",
      [number],
    );
    return rows[0]?.has === true && rows[0].running === PODS;
  };
  const programmed = async () => {
    const { status, metadata } = parseObject(await client.request({ method: "GET", path: objectPath(TYPES.NumberPool, POOL) }));
    const conditions = isRecord(status) && Array.isArray(status["conditions"]) ? (status["conditions"] as Record<string, unknown>[]) : [];
    return conditions.some(({ type, status: holds, observedGeneration }) => type === "Programmed" && holds === "True" && observedGeneration === metadata.generation);
  };
  await eventually("all pods run the first", () => allRun("12025550199"), LIMIT_MS);
  await eventually("the condition says so", programmed, LIMIT_MS);
  const [verified, said]: [number[], number[]] = [[], []];
  for (let n = 0; n < changes; n += 1) {
    const number = `1202555${1_000 + n}`;
    const change = { spec: { defaultDestination: { number: `+${number}` } } };
    const startedAt = performance.now();
    await client.request({ method: "PATCH", path: objectPath(TYPES.NumberPool, POOL), contentType: ContentType.MergePatch, body: change });
    await eventually("all pods run it", () => allRun(number), LIMIT_MS);
    verified.push(performance.now() - startedAt);
    await eventually("the condition says so", programmed, LIMIT_MS);
    said.push(performance.now() - startedAt);
    if (n % 20 === 19) say(`${n + 1} of ${changes} changes`);
  }
  const verifiedMs = percentiles(verified);
  const missed = verifiedMs.p50 > TARGET.p50 || verifiedMs.p99 > TARGET.p99 ? [`a change verified in ${PODS} Asterisk instances: p50 ${TARGET.p50} ms, p99 ${TARGET.p99} ms`] : [];
  return { pods: PODS, changes, verifiedMs, conditionMs: percentiles(said), missed };
}

function percentiles(times: readonly number[]): Percentiles {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p99: at(0.99) };
}
