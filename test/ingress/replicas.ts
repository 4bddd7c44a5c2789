import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { eventually, startProcess } from "../harness/process.ts";
import { siteSecret } from "./site.ts";
import type { Stores } from "./stores.ts";
import { tokenKeys } from "./stores.ts";

const cli = join(import.meta.dirname, "../../src/cli.ts");

/** Presence in seconds, short so that tests see it end. */
export const presenceSeconds = { ttl: 3, heartbeat: 1 };

/** `dialplane ingress` as a process of its own. */
export interface Replica {
  readonly url: string;
  openStreams(): Promise<number>;
  /** As a machine that fails: `kill -9`. */
  kill(): Promise<void>;
  /** Asks it to end; resolves with its exit code. */
  end(): Promise<number | null>;
  stop(): Promise<void>;
}

/** @param more variables of its environment beside those that all have */
export async function startReplica(stores: Pick<Stores, "url">, more: NodeJS.ProcessEnv = {}): Promise<Replica> {
  const program = startProcess([process.execPath, cli, "ingress"], {
    env: {
      ...process.env,
      DATABASE_URL: stores.url,
      DIALPLANE_TOKEN_KEYS: tokenKeys.map(({ id, secret }) => `${id}:${secret}`).join(","),
      DIALPLANE_SITE_SECRETS: `acme=${siteSecret}`,
      DIALPLANE_HTTP_ADDRESS: "127.0.0.1",
      DIALPLANE_HTTP_PORT: "0",
      DIALPLANE_RATE_LIMIT_PER_SECOND: "0",
      DIALPLANE_NEW_VISITORS_PER_SECOND: "0",
      DIALPLANE_PRESENCE_TTL_SECONDS: String(presenceSeconds.ttl),
      DIALPLANE_PRESENCE_HEARTBEAT_SECONDS: String(presenceSeconds.heartbeat),
      ...more,
    },
  });
  const port = await eventually("the replica is listening", () => /"port":(\d+)/.exec(program.output())?.[1], 30_000).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${program.output()}`);
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    openStreams: () => openStreams(url),
    kill: async () => {
      program.kill("SIGKILL");
      await program.exited;
    },
    end: async () => {
      program.kill("SIGTERM");
      return (await program.exited).code;
    },
    stop: () => program.stop(),
  };
}

export async function openStreams(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^dialplane_ingress_open_streams (\d+)$/m.exec(metrics)?.[1]);
}

/** What stands before replicas: requests go to the first that is there. `/page` is a page of the site. */
export interface Balancer {
  readonly url: string;
  /** In the order in which they are tried. */
  readonly replicas: Replica[];
  close(): Promise<void>;
}

export async function startBalancer(page: string): Promise<Balancer> {
  const replicas: Replica[] = [];
  const server = createServer((request, response) => {
    if (request.url === "/page") response.writeHead(200, { "Content-Type": "text/html" }).end(page);
    else void body(request).then((sent) => forward(replicas, { request, response, sent }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    replicas,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function body(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly sent: Buffer;
}

function forward([first, ...others]: readonly Replica[], exchange: Exchange): void {
  const { request, response, sent } = exchange;
  if (first === undefined) {
    response.writeHead(502).end();
    return;
  }
  const onward = httpRequest(first.url + String(request.url), { method: request.method ?? "GET", headers: request.headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.on("error", () => response.destroy()).pipe(response);
  });
  onward.on("error", () => (response.headersSent ? response.destroy() : forward(others, exchange)));
  response.on("close", () => onward.destroy());
  onward.end(sent);
}
