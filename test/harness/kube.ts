import { spawn } from "node:child_process";
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { type ApiServer, type ApiServerSettings, controlPlaneProgram, type Etcd, startApiServer, startEtcd } from "./kube-servers.ts";
import { freeTcpPort } from "./ports.ts";
import { temporaryFolder } from "./process.ts";
import { type CertificateAuthority, createAuthority } from "./x509.ts";

const CRDS = join(import.meta.dirname, "../../crds");
const ISSUER = "https://kubernetes.default.svc.cluster.local";
const KUBECTL_LIMIT_MS = 60_000;
/** Seconds after `exp` in which the API server still takes a token, for the sake of clocks that differ. */
const CLOCK_LEEWAY = 60;
/** Members of this group may do everything, whatever RBAC says. */
const ADMIN_GROUP = "system:masters";

export interface KubectlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KubectlOptions {
  readonly stdin?: string;
  /** Path; the administrator's unless told. */
  readonly kubeconfig?: string;
}

/** `lifetime`: seconds until its token is refused, an hour unless told; one used shortly before is taken for up to 10 s longer, from a cache. */
export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
  readonly lifetime?: number;
}

export interface ControlPlane extends AsyncDisposable {
  readonly url: string;
  /** PEM of the authority of the API server and of all users. */
  readonly ca: string;
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly etcd: Etcd;
  /** Changes with every start of the API server. */
  readonly apiServerPid: number;
  /** What the running API server wrote. */
  apiServerOutput(): string;
  /** A user known by a client certificate, without any right until one is granted. @returns path of a kubeconfig */
  userKubeconfig(name: string, groups?: readonly string[], lifetime?: number): Promise<string>;
  /** Makes the service account (and its namespace) when missing. @returns path of a kubeconfig with a token of it */
  serviceAccountKubeconfig(account: ServiceAccount): Promise<string>;
  /** A token as pods have them; unlike those of the TokenRequest API it may live for less than ten minutes. */
  serviceAccountToken(account: ServiceAccount): Promise<string>;
  /** Never throws because of kubectl's verdict: look at `code`. */
  readonly kubectl: (args: readonly string[], options?: KubectlOptions) => Promise<KubectlResult>;
  /** As kubectl, yet fails with kubectl's words unless it ended with 0. @returns its stdout */
  readonly mustKubectl: (args: readonly string[], options?: KubectlOptions) => Promise<string>;
  /** Same address and data after `startApiServer`. */
  stopApiServer(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  startApiServer(): Promise<void>;
  /** Empties the watch cache too, so that a watch from a resource version of before gets 410 when anything changed since. */
  restartApiServer(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  /** False lets everyone do everything. True unless told. */
  readonly rbac?: boolean;
  /** Whether the definitions in crds/ are applied and established. True unless told. */
  readonly definitions?: boolean;
}

/**
 * A real etcd and kube-apiserver on free loopback ports, data in a temporary folder, killed by the kernel when this process dies.
 * No controller manager runs: nothing collects orphans, ends a namespace, makes pods of a Deployment or default service accounts.
 */
export async function startControlPlane({ rbac = true, definitions = true }: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const folder = await temporaryFolder("kube");
  const stops: (() => Promise<void>)[] = [() => folder.remove()];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const etcd = await startEtcd(join(folder.path, "etcd"));
    stops.push(etcd.stop);
    const authority = createAuthority("dialplane-test");
    const { settings, serviceAccountKey } = await prepare({ folder: folder.path, authority, etcdUrl: etcd.url, rbac });
    let server: ApiServer = await startApiServer(settings);
    stops.push(() => server.stop("SIGKILL"));
    const access = await openAccess({ folder: folder.path, authority, serviceAccountKey, port: settings.port });
    const stopApiServer = (signal: "SIGTERM" | "SIGKILL" = "SIGTERM") => server.stop(signal);
    const start = async () => {
      server = await startApiServer(settings);
    };
    if (definitions) await applyDefinitions(access.mustKubectl);
    return {
      ...access,
      ca: authority.certificate,
      etcd,
      get apiServerPid() {
        return server.pid;
      },
      apiServerOutput: () => server.output(),
      stopApiServer,
      startApiServer: start,
      restartApiServer: async (signal) => {
        await stopApiServer(signal);
        await start();
      },
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function applyDefinitions(kubectl: ControlPlane["mustKubectl"]): Promise<void> {
  await kubectl(["apply", "--server-side", "-f", CRDS]);
  await kubectl(["wait", "--for=condition=Established", "--timeout=30s", "-f", CRDS]);
}

interface Preparation {
  readonly folder: string;
  readonly authority: CertificateAuthority;
  readonly etcdUrl: string;
  readonly rbac: boolean;
}

/** Writes the API server's certificates and keys. */
async function prepare({ folder, authority, etcdUrl, rbac }: Preparation): Promise<{ settings: ApiServerSettings; serviceAccountKey: string }> {
  const serving = authority.issue({ commonName: "kube-apiserver", addresses: ["127.0.0.1"] });
  const admin = authority.issue({ commonName: "readiness", organizations: [ADMIN_GROUP] });
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  // The API server reads no PKCS #8 file as a key to verify with.
  const serviceAccountKey = privateKey.export({ type: "sec1", format: "pem" }).toString();
  const contents = { ca: authority.certificate, certificate: serving.certificate, key: serving.key, serviceAccountKey };
  const path = (name: string) => join(folder, `${name}.pem`);
  await Promise.all(Object.entries(contents).map(([name, text]) => writeFile(path(name), text, { mode: 0o600 })));
  const settings: ApiServerSettings = {
    ...{ etcdUrl, rbac, port: await freeTcpPort(), issuer: ISSUER },
    files: { ca: path("ca"), certificate: path("certificate"), key: path("key"), serviceAccountKey: path("serviceAccountKey") },
    admin: { ca: authority.certificate, cert: admin.certificate, key: admin.key },
  };
  return { settings, serviceAccountKey };
}

interface AccessSettings {
  readonly folder: string;
  readonly authority: CertificateAuthority;
  readonly serviceAccountKey: string;
  readonly port: number;
}

type Access = Pick<
  ControlPlane,
  "url" | "kubeconfig" | "userKubeconfig" | "serviceAccountKubeconfig" | "serviceAccountToken" | "kubectl" | "mustKubectl"
>;

/** kubectl, and kubeconfigs for whoever a test wants to be. */
async function openAccess({ folder, authority, serviceAccountKey, port }: AccessSettings): Promise<Access> {
  const url = `https://127.0.0.1:${port}`;
  const home = join(folder, "home");
  await mkdir(home);
  const save = (user: object) => saveKubeconfig(folder, { server: url, ca: authority.certificate, user });
  const userKubeconfig = (commonName: string, organizations: readonly string[] = [], lifetime = 3600) => {
    const { certificate, key } = authority.issue({ commonName, organizations, lifetime });
    return save({ "client-certificate-data": base64(certificate), "client-key-data": base64(key) });
  };
  const kubeconfig = await userKubeconfig("admin", [ADMIN_GROUP]);
  const kubectl = (args: readonly string[], { stdin, kubeconfig: other = kubeconfig }: KubectlOptions = {}) =>
    runKubectl({ args, stdin: stdin ?? "", env: { HOME: home, KUBECONFIG: other } });
  const mustKubectl = async (args: readonly string[], options?: KubectlOptions) => {
    const { code, stdout, stderr } = await kubectl(args, options);
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`);
    return stdout;
  };
  const serviceAccountToken = async ({ namespace, name, lifetime = 3600 }: ServiceAccount) => {
    const list = [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace, name } },
    ];
    await mustKubectl(["apply", "--server-side", "-f", "-"], { stdin: JSON.stringify({ apiVersion: "v1", kind: "List", items: list }) });
    const uid = await mustKubectl(["get", "serviceaccount", "-n", namespace, name, "-o", "jsonpath={.metadata.uid}"]);
    return signToken(serviceAccountKey, { namespace, name, uid, lifetime });
  };
  const serviceAccountKubeconfig = async (account: ServiceAccount) => save({ token: await serviceAccountToken(account) });
  return { url, kubeconfig, userKubeconfig, serviceAccountKubeconfig, serviceAccountToken, kubectl, mustKubectl };
}

async function saveKubeconfig(folder: string, { server, ca, user }: { server: string; ca: string; user: object }): Promise<string> {
  const path = join(folder, `kubeconfig-${randomUUID()}.json`);
  const config = {
    ...{ apiVersion: "v1", kind: "Config", "current-context": "test" },
    clusters: [{ name: "test", cluster: { server, "certificate-authority-data": base64(ca) } }],
    users: [{ name: "test", user }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test", namespace: "default" } }],
  };
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

/** The claims of a bound token: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens */
function signToken(key: string, { namespace, name, uid, lifetime }: Required<ServiceAccount> & { uid: string }): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    ...{ iss: ISSUER, sub: `system:serviceaccount:${namespace}:${name}`, aud: [ISSUER], jti: randomUUID() },
    ...{ iat: now - 2 * CLOCK_LEEWAY, nbf: now - 2 * CLOCK_LEEWAY, exp: now + lifetime - CLOCK_LEEWAY },
    "kubernetes.io": { namespace, serviceaccount: { name, uid } },
  };
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg: "ES256", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

/** Its HOME is the test's, so that it neither reads nor writes the discovery cache of whoever runs the tests. */
function runKubectl({ args, stdin, env }: { args: readonly string[]; stdin: string; env: NodeJS.ProcessEnv }): Promise<KubectlResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(controlPlaneProgram("kubectl"), args, { env, stdio: "pipe", timeout: KUBECTL_LIMIT_MS });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? 1, stdout, stderr: signal ? `${stderr}ended by ${signal}` : stderr }));
    // kubectl may end without having read all of it.
    child.stdin.on("error", () => undefined).end(stdin);
  });
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
