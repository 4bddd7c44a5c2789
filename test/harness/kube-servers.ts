import { accessSync, constants } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";

import { freeTcpPort } from "./ports.ts";
import { eventually, startProcess, type TestProcess } from "./process.ts";

/** On two busy cores an API server takes some seconds. */
const READY_LIMIT_MS = 60_000;

export type Program = "etcd" | "kube-apiserver" | "kubectl";

/** Path of a program of the part `control-plane`; the set-up names their folder in KUBEBUILDER_ASSETS. */
export function controlPlaneProgram(name: Program): string {
  const path = join(process.env["KUBEBUILDER_ASSETS"] ?? "(KUBEBUILDER_ASSETS is not set)", name);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new Error(`${path} is no program: \`node scripts/setup.mjs control-plane\` gets it, KUBEBUILDER_ASSETS names its folder`);
  }
  return path;
}

export interface Etcd {
  readonly url: string;
  readonly pid: number;
  /** Forgets all but the newest revision and returns its number; older lists and watches then get 410 from the API server. */
  compact(): Promise<number>;
  readonly stop: () => Promise<void>;
}

/** An etcd on loopback whose data needn't survive a power cut. @param dataDir made by it */
export async function startEtcd(dataDir: string): Promise<Etcd> {
  const url = `http://127.0.0.1:${await freeTcpPort()}`;
  const running = startProcess([
    controlPlaneProgram("etcd"),
    ...[`--data-dir=${dataDir}`, `--listen-client-urls=${url}`, `--advertise-client-urls=${url}`],
    ...["--listen-peer-urls=http://127.0.0.1:0", "--unsafe-no-fsync", "--log-level=error"],
  ]);
  await ready(running, "etcd", async () => {
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(1000) }).catch(() => undefined);
    return answer?.ok === true;
  });
  return { url, pid: running.pid, compact: () => compact(url), stop: () => kill(running) };
}

/** etcd's JSON gateway: https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/ */
async function compact(url: string): Promise<number> {
  const post = async (path: string, body: object) => {
    const answer = await fetch(`${url}/v3/kv/${path}`, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`etcd answered ${answer.status} to ${path}: ${await answer.text()}`);
    return (await answer.json()) as { header: { revision: string } };
  };
  const { header } = await post("range", { key: Buffer.from("/").toString("base64"), count_only: true });
  await post("compaction", { revision: header.revision, physical: true });
  return Number(header.revision);
}

export interface ApiServerSettings {
  readonly etcdUrl: string;
  readonly port: number;
  /** Paths of PEM files. */
  readonly files: { readonly ca: string; readonly certificate: string; readonly key: string; readonly serviceAccountKey: string };
  /** Of a user who may read /readyz, PEM. */
  readonly admin: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Issuer and audience of service account tokens. */
  readonly issuer: string;
  /** False lets everyone do everything. */
  readonly rbac: boolean;
}

export interface ApiServer {
  readonly pid: number;
  readonly exited: TestProcess["exited"];
  readonly output: () => string;
  /** SIGTERM lets it end its requests; after 3 s, or with SIGKILL, it dies at once. */
  stop(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
}

export async function startApiServer(settings: ApiServerSettings): Promise<ApiServer> {
  const { etcdUrl, port, files, issuer, rbac } = settings;
  const running = startProcess([
    controlPlaneProgram("kube-apiserver"),
    ...[`--etcd-servers=${etcdUrl}`, "--bind-address=127.0.0.1", `--secure-port=${port}`, "--advertise-address=127.0.0.1"],
    ...[`--tls-cert-file=${files.certificate}`, `--tls-private-key-file=${files.key}`, `--client-ca-file=${files.ca}`],
    ...[`--service-account-issuer=${issuer}`, `--service-account-key-file=${files.serviceAccountKey}`],
    `--service-account-signing-key-file=${files.serviceAccountKey}`,
    `--authorization-mode=${rbac ? "RBAC" : "AlwaysAllow"}`,
    // No controller manager runs: nobody would make the service account that this plug-in demands for a pod.
    "--disable-admission-plugins=ServiceAccount",
    // The Service `kubernetes` may not point to loopback, and nobody here uses it.
    ...["--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24", "--profiling=false"],
  ]);
  await ready(running, "kube-apiserver", () => answersReady(settings));
  const stop = (signal: "SIGTERM" | "SIGKILL") => (signal === "SIGKILL" ? kill(running) : running.stop());
  return { pid: running.pid, exited: running.exited, output: () => running.output(), stop };
}

function answersReady({ port, admin }: ApiServerSettings): Promise<boolean> {
  return new Promise((resolve) => {
    const asking = request({ host: "127.0.0.1", port, path: "/readyz", agent: false, timeout: 5000, ...admin }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asking.on("timeout", () => asking.destroy());
    asking.on("error", () => resolve(false));
    asking.end();
  });
}

async function ready(running: TestProcess, name: string, probe: () => Promise<boolean>): Promise<void> {
  const isReady = eventually(`readiness of ${name}`, probe, READY_LIMIT_MS);
  try {
    await Promise.race([isReady, running.exited.then(({ code }) => Promise.reject(new Error(`it ended with code ${code}`)))]);
  } catch (error) {
    isReady.catch(() => undefined);
    await kill(running);
    throw new Error(`${name} did not start: ${running.output().slice(-4000)}`, { cause: error });
  }
}

async function kill(running: TestProcess): Promise<void> {
  running.kill("SIGKILL");
  await running.exited;
}
