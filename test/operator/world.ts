import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import type pg from "pg";

import { createKubeClient, type KubeClient } from "../../src/adapters/kubernetes/client.ts";
import type { Condition } from "../../src/domain/api.generated.ts";
import { readTrunkFile, TRUNK_FILE } from "../../src/domain/trunk-file.ts";
import { readOperatorConfig } from "../../src/operator/config.ts";
import { startOperator, type DialplaneOperator } from "../../src/operator/operator.ts";
import { createLogger } from "../../src/shared/logger.ts";
import { isRecord } from "../../src/shared/json.ts";
import { startControlPlane, type ControlPlane } from "../harness/kube.ts";
import { silent } from "../harness/logger.ts";
import { freeTcpPort } from "../harness/ports.ts";
import { freshDatabase, type TestDatabase } from "../harness/postgres.ts";
import { eventually } from "../harness/process.ts";

export const ROOT = join(import.meta.dirname, "../..");
/** On two busy cores; a pool of a million numbers takes a few seconds on quiet ones. */
const LIMIT_MS = 60_000;
export const SYSTEM = "dialplane-system";

export interface OperatorWorld {
  readonly kube: ControlPlane;
  readonly database: TestDatabase;
  /** Applies objects with kubectl. */
  apply(...objects: readonly object[]): Promise<void>;
  remove(kind: string, name: string): Promise<void>;
  conditions(kind: string, name: string, namespace?: string): Promise<Record<string, string>>;
  /** Waits until the conditions hold, given as "Status/Reason" by type. */
  becomes(kind: string, name: string, wanted: Record<string, string>, namespace?: string): Promise<void>;
  condition(kind: string, name: string, type: string): Promise<Condition | undefined>;
  get(kind: string, name: string, namespace?: string): Promise<{ readonly metadata: Record<string, unknown>; readonly status?: Record<string, unknown> } | null>;
  rows<T extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<T[]>;
  /** Two pods report that they run the newest revisions, as routers do. */
  podsRunNewest(): Promise<void>;
  stop(): Promise<void>;
}

/** A control plane with the definitions and an empty database. */
export async function startWorld(): Promise<OperatorWorld> {
  const [kube, database] = await Promise.all([startControlPlane(), freshDatabase()]);
  await kube.mustKubectl(["create", "namespace", SYSTEM]);
  const client = createKubeClient(configOf(kube.kubeconfig), silent);
  const get: OperatorWorld["get"] = async (kind, name, namespace = "default") => {
    const text = await kube.mustKubectl(["get", "-n", namespace, kind, name, "--ignore-not-found", "-o", "json"]);
    return text === "" ? null : (JSON.parse(text) as Awaited<ReturnType<OperatorWorld["get"]>>);
  };
  const rows: OperatorWorld["rows"] = async (text, values) => (await database.pool.query<never>(text, values)).rows;
  const list = async (kind: string, name: string, namespace?: string) => ((await get(kind, name, namespace))?.status?.["conditions"] ?? []) as Condition[];
  const conditions: OperatorWorld["conditions"] = async (kind, name, namespace) =>
    Object.fromEntries((await list(kind, name, namespace)).map(({ type, status, reason }) => [type, `${status}/${reason}`]));
  return {
    kube,
    database,
    get,
    conditions,
    condition: async (kind, name, type) => (await list(kind, name)).find((condition) => condition.type === type),
    apply: async (...objects) => {
      await kube.mustKubectl(["apply", "--server-side", "-f", "-"], { stdin: asList(objects) });
    },
    remove: async (kind, name) => {
      await kube.mustKubectl(["delete", kind, name, "--timeout=30s"]);
    },
    becomes: async (kind, name, wanted, namespace) => {
      let seen: Record<string, string> = {};
      const holds = async () => {
        seen = await conditions(kind, name, namespace);
        return Object.entries(wanted).every(([type, value]) => seen[type] === value);
      };
      await eventually("", holds, LIMIT_MS).catch(() => {
        throw new Error(`${kind} ${name} must become ${JSON.stringify(wanted)}, but is ${JSON.stringify(seen)}`);
      });
    },
    rows,
    podsRunNewest: async () => {
      const secret = await client.request({ method: "GET", path: `/api/v1/namespaces/${SYSTEM}/secrets/dialplane-trunks` }).catch(() => null);
      await reportNewest(rows, trunksIn(secret));
    },
    stop: async () => {
      client.close();
      await database.drop();
      await kube.stop();
    },
  };
}

/** The revision of the trunks that pods with this Secret run; null before there is one. */
function trunksIn(secret: unknown): string | null {
  const data = isRecord(secret) && isRecord(secret["data"]) ? secret["data"][TRUNK_FILE] : undefined;
  return typeof data === "string" ? readTrunkFile(Buffer.from(data, "base64").toString("utf8")).revision : null;
}

async function reportNewest(rows: OperatorWorld["rows"], trunks: string | null): Promise<void> {
  for (const pod of ["asterisk-0", "asterisk-1"]) {
    await rows(
      `insert into pod (pod, running, routing, trunks, seen_at)
       select $1::text, hash, (select value from revision), $2::jsonb, now() + interval '10 minutes' from dialplan order by revision desc limit 1
       on conflict (pod) do update set running = excluded.running, routing = excluded.routing, trunks = excluded.trunks, seen_at = excluded.seen_at`,
      [pod, JSON.stringify({ running: trunks, loaded: trunks !== null, error: null, reachability: {} })],
    );
  }
}

function asList(items: readonly object[]): string {
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

export interface StartOptions {
  readonly kubeconfig?: string;
  readonly leaseSeconds?: number;
  readonly client?: (real: KubeClient) => KubeClient;
  readonly noticeAfterMs?: number;
  readonly healthPort?: number;
  readonly watchNamespaces?: string;
}

export async function operatorIn(world: OperatorWorld, { kubeconfig, leaseSeconds = 3, client = (real) => real, healthPort, watchNamespaces = "", ...rest }: StartOptions = {}): Promise<DialplaneOperator> {
  const config = readOperatorConfig({
    DATABASE_URL: world.database.url,
    DIALPLANE_POD_NAME: `operator-${randomUUID().slice(0, 8)}`,
    DIALPLANE_LEASE_SECONDS: String(leaseSeconds),
    DIALPLANE_WATCH_NAMESPACES: watchNamespaces,
    DIALPLANE_HEALTH_PORT: String(healthPort ?? (await freeTcpPort())),
  });
  const read = configOf(kubeconfig ?? world.kube.kubeconfig);
  const logger = createLogger((process.env["TEST_LOG_LEVEL"] ?? "silent") as "silent");
  return startOperator(config, { ...rest, kubeConfig: read, client: client(createKubeClient(read, logger)), logger });
}

function configOf(kubeconfig: string): KubeConfig {
  const read = new KubeConfig();
  read.loadFromFile(kubeconfig);
  return read;
}

const API = "dialplane.io/v1alpha1";

export function aTrunk(name: string, spec: object = {}): object {
  return { apiVersion: API, kind: "SipTrunk", metadata: { name, namespace: "default" }, spec: { host: "127.0.0.1", ...spec } };
}

export function aPool(name: string, spec: object = {}): object {
  const destination = { number: "+12025550199" };
  return { apiVersion: API, kind: "NumberPool", metadata: { name, namespace: "default" }, spec: { trunkRef: { name: "carrier" }, defaultDestination: destination, ...spec } };
}

export function aRule(name: string, spec: object = {}): object {
  const destinations = [{ name: "desk", number: "+12025550142" }];
  return { apiVersion: API, kind: "RoutingRule", metadata: { name, namespace: "default" }, spec: { poolRefs: [{ name: "sales" }], destinations, ...spec } };
}

export const TEN = [{ from: "+12025550110", to: "+12025550119" }];
