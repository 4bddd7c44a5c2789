/**
 * From a change of a resource on a real API server until three real Asterisk instances were verified to run it, and until the
 * resource's own condition says so. npm run bench:rollout [-- --json] [-- --changes 100]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { KubeConfig } from "@kubernetes/client-node";

import { ContentType, createKubeClient } from "../../src/adapters/kubernetes/client.ts";
import { isRecord, objectPath, parseObject } from "../../src/adapters/kubernetes/objects.ts";
import { connect } from "../../src/adapters/postgres/connect.ts";
import { migrate } from "../../src/adapters/postgres/migrate.ts";
import { operatorConfig } from "../../src/operator/config.ts";
import { TYPES } from "../../src/operator/kinds.ts";
import { startOperator } from "../../src/operator/operator.ts";
import { createLogger } from "../../src/shared/logger.ts";
import { startPostgres } from "../../src/standalone/postgres-process.ts";
import { startControlPlane } from "../harness/kube.ts";
import { startPods, podsReady } from "../harness/pods.ts";
import { freeTcpPort } from "../harness/ports.ts";
import { eventually, temporaryFolder } from "../harness/process.ts";

const { values: options } = parseArgs({ options: { json: { type: "boolean", default: false }, changes: { type: "string", default: "100" } } });
const CHANGES = Number(options.changes);
const PODS = 3;
const TARGET = { p50: 500, p99: 2_000 } as const;
const LIMIT_MS = 60_000;
const API = "dialplane.io/v1alpha1";
const POOL = { namespace: "default", name: "sales" };

const logger = createLogger("error");
const parts = new AsyncDisposableStack();
const say = (text: string) => process.stderr.write(`${text}\n`);

try {
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
    operatorConfig({ DATABASE_URL: postgres.url, DIALPLANE_POD_NAME: "bench", DIALPLANE_HEALTH_PORT: String(await freeTcpPort()) }),
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

  const runningNewest = async (than: number) => {
    const { rows } = await pool.query<{ running: number; revision: number }>(
      "select (select count(*)::int from pod where running = d.hash) as running, d.revision::int from dialplan d order by d.revision desc limit 1",
    );
    const [newest] = rows;
    return newest !== undefined && newest.revision > than && newest.running === PODS ? newest.revision : undefined;
  };
  const programmed = async () => {
    const { status, metadata } = parseObject(await client.request({ method: "GET", path: objectPath(TYPES.NumberPool, POOL) }));
    const conditions = isRecord(status) && Array.isArray(status["conditions"]) ? (status["conditions"] as Record<string, unknown>[]) : [];
    return conditions.some(({ type, status: holds, observedGeneration }) => type === "Programmed" && holds === "True" && observedGeneration === metadata.generation);
  };
  let revision = await eventually("all pods run the first", () => runningNewest(0), LIMIT_MS);
  await eventually("the condition says so", programmed, LIMIT_MS);
  const [verified, said]: [number[], number[]] = [[], []];
  for (let n = 0; n < CHANGES; n += 1) {
    const change = { spec: { defaultDestination: { number: `+1202555${1_000 + n}` } } };
    const startedAt = performance.now();
    await client.request({ method: "PATCH", path: objectPath(TYPES.NumberPool, POOL), contentType: ContentType.MergePatch, body: change });
    const before = revision;
    revision = await eventually("all pods run it", () => runningNewest(before), LIMIT_MS);
    verified.push(performance.now() - startedAt);
    await eventually("the condition says so", programmed, LIMIT_MS);
    said.push(performance.now() - startedAt);
    if (n % 20 === 19) say(`${n + 1} of ${CHANGES} changes`);
  }
  const result = { pods: PODS, changes: CHANGES, verifiedMs: percentiles(verified), conditionMs: percentiles(said) };
  if (result.verifiedMs.p50 > TARGET.p50 || result.verifiedMs.p99 > TARGET.p99) {
    say(`missed: p50 ${TARGET.p50} ms, p99 ${TARGET.p99} ms`);
    process.exitCode = 1;
  }
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(`verified in ${PODS} Asterisk instances  p50 ${result.verifiedMs.p50} ms, p99 ${result.verifiedMs.p99} ms\nProgrammed=True                  p50 ${result.conditionMs.p50} ms, p99 ${result.conditionMs.p99} ms\n`);
} finally {
  await parts.disposeAsync();
}

function percentiles(times: readonly number[]): { readonly p50: number; readonly p99: number } {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p99: at(0.99) };
}
