import { createHash } from "node:crypto";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent, type AgentOptions, type RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { messageOf } from "../../domain/errors.ts";
import type { Logger } from "../../domain/ports.ts";
import { KubeError } from "./kube-error.ts";

/** Where to send a request, and as whom. */
export interface Connection {
  readonly server: URL;
  /** Keeps connections open between requests: a TLS handshake a request costs six times the request. */
  readonly agent: HttpAgent;
  readonly headers: Readonly<Record<string, string>>;
}

/** Files of certificates and tokens are looked at this often; kubelet renews a token well before it ends. */
const REREAD_MILLISECONDS = 10_000;
/** Ahead of the usual 60 s idle limit of load balancers. */
const KEEP_ALIVE_MILLISECONDS = 30_000;

interface Current {
  readonly connection: Connection;
  readonly fingerprint: string;
  readonly readAt: number;
}

/** One pool of connections, replaced when authority, certificate or key change. */
export class Connections {
  readonly #original: KubeConfig;
  readonly #logger: Logger;
  #config: KubeConfig;
  #current: Current | undefined;

  constructor(kubeConfig: KubeConfig, logger: Logger) {
    this.#original = kubeConfig;
    this.#logger = logger;
    this.#config = copyOf(kubeConfig);
  }

  async current(): Promise<Connection> {
    if (this.#current === undefined || performance.now() - this.#current.readAt > REREAD_MILLISECONDS) await this.#tryRead();
    if (this.#current === undefined) throw new Error("must have read the kubeconfig");
    return this.#current.connection;
  }

  /** After a 401: forgets what authenticators remember, so that files and plug-ins are asked again. */
  async renew(): Promise<Connection> {
    this.#config = copyOf(this.#original);
    await this.#tryRead();
    return this.current();
  }

  close(): void {
    this.#current?.connection.agent.destroy();
    this.#current = undefined;
  }

  /**
   * Files that are being replaced can't be read for a moment: then what was read before goes on.
   * @throws KubeError when nothing was read before
   */
  async #tryRead(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      if (this.#current === undefined) throw new KubeError(0, "Unreachable", `the credentials can't be read: ${messageOf(error)}`, { cause: error });
      this.#logger.warn({ error: messageOf(error) }, "credentials can't be read again; those of before are used");
      this.#current = { ...this.#current, readAt: performance.now() };
    }
  }

  async #read(): Promise<void> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const cluster = this.#config.getCurrentCluster();
    const tls = tlsOptions(options);
    const secrets: readonly unknown[] = Object.values(tls);
    const fingerprint = fingerprintOf([cluster?.server, cluster?.proxyUrl, ...secrets]);
    const before = this.#current;
    const same = before?.fingerprint === fingerprint;
    if (before !== undefined && !same) retire(before.connection.agent);
    const server = new URL(cluster?.server ?? "");
    const agent = same ? before.connection.agent : this.#agent(server, tls, options);
    this.#current = { connection: { server, agent, headers: headersOf(options) }, fingerprint, readAt: performance.now() };
  }

  /** Through a proxy as client-node knows them, otherwise a pool of our own that keeps connections. */
  #agent(server: URL, tls: AgentOptions, { agent }: RequestOptions): HttpAgent {
    if (this.#config.getCurrentCluster()?.proxyUrl !== undefined && agent instanceof HttpAgent) return agent;
    const pool = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MILLISECONDS };
    return server.protocol === "http:" ? new HttpAgent(pool) : new HttpsAgent({ ...tls, ...pool });
  }
}

function copyOf(config: KubeConfig): KubeConfig {
  const copy = new KubeConfig();
  copy.loadFromOptions({ clusters: config.clusters, users: config.users, contexts: config.contexts, currentContext: config.currentContext });
  return copy;
}

function tlsOptions(options: RequestOptions): AgentOptions {
  const names = ["ca", "cert", "key", "pfx", "passphrase", "servername", "rejectUnauthorized"] as const;
  return Object.fromEntries(names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]));
}

function headersOf(options: RequestOptions): Record<string, string> {
  const headers = Object.entries(options.headers ?? {}).map(([name, value]) => [name, String(value).trim()] as const);
  const basic = typeof options.auth === "string" ? { Authorization: `Basic ${Buffer.from(options.auth).toString("base64")}` } : {};
  return { ...basic, ...Object.fromEntries(headers) };
}

function fingerprintOf(parts: readonly unknown[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(Buffer.isBuffer(part) ? part : String(part)).update("\0");
  return hash.digest("hex");
}

/** Lets what is under way end; idle connections go at once. */
function retire(agent: HttpAgent): void {
  agent.maxFreeSockets = 0;
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
}
