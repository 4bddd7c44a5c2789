import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import express, { type Express } from "express";
import type { NumberPoolSpec } from "../../src/domain/api.generated.ts";
import { signPersonToken } from "../../src/domain/person-token.ts";
import type { PoolEntry } from "../../src/domain/ports.ts";
import { createIngress, defaultSettings, type IngressDeps, type IngressSettings } from "../../src/ingress/app.ts";
import { Health } from "../../src/shared/health.ts";
import { createMetrics } from "../../src/shared/metrics.ts";
import { aPool } from "../domain/builders.ts";
import { silent } from "../harness/logger.ts";
import { assertDescribed } from "./contract.ts";
import { startStores, tokenKeys, type Stores } from "./stores.ts";

export const apiToken = "an-api-token-of-32-characters-or-more";
export const reportToken = "a-report-token-of-32-characters-or-more";
export const siteSecret = "the-secret-of-acme-has-32-characters-or-more";
const web = fileURLToPath(new URL("../../examples/web", import.meta.url));

export interface SiteOptions {
  /** Numbers of pool default/sales, from +12025550110 upwards. */
  readonly numbers?: number;
  readonly spec?: Partial<NumberPoolSpec>;
  readonly settings?: Partial<IngressSettings>;
  /** More pools that differ from default/sales in these fields. */
  readonly others?: Readonly<Record<string, Partial<NumberPoolSpec>>>;
  /** Pools that this replica does not know, as if they had been removed. */
  readonly without?: readonly string[];
  /** HTML of a page of the site, by path below /page/. */
  readonly pages?: Readonly<Record<string, string>>;
  /** Database of another site: two replicas of ingress. */
  readonly replicaOf?: Site;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export interface Site {
  readonly url: string;
  readonly stores: Stores;
  /** Ingress alone. */
  readonly app: Express;
  /** As a page of the site does it, unless headers say otherwise; `null` leaves a header out. */
  post(path: string, body: unknown, headers?: Record<string, string | null>): Promise<Answer>;
  /** What the next requests meet before ingress: a broken or slow service. */
  disturb(how: RequestListener | null): void;
  /** As a replica does when it stops: cuts all streams, though new ones are welcome. */
  endStreams(): void;
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** Ten numbers of +1 202 555 0; `place` keeps those of one pool apart from those of another. */
export function aSitePool(key: string, place: number, spec: Partial<NumberPoolSpec> = {}): PoolEntry {
  return aPool({ ranges: [{ from: `+12025550${place}10`, to: `+12025550${place}19` }], ...spec }, { key });
}

/** Ingress on real Postgres behind a real web server that also serves the demo page, all on one loopback port. */
export async function startSite(options: SiteOptions = {}): Promise<Site> {
  const stores = options.replicaOf?.stores ?? (await startStores());
  let disturbance: RequestListener | null = null;
  let handler: RequestListener = (_request, response) => void response.writeHead(503).end();
  const streams = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/v1/stream") === true) streams.add(response.once("close", () => streams.delete(response)));
    (disturbed(request) && disturbance ? disturbance : handler)(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const pools = poolsOf(url, options);
  if (options.replicaOf === undefined) await stores.apply(pools);

  const ingress = await createIngress(ingressDeps(stores, pools, options));
  handler = siteApp(ingress.app, options.pages ?? {}) as (request: IncomingMessage, response: ServerResponse) => void;
  return {
    url,
    stores,
    app: ingress.app,
    disturb: (how) => (disturbance = how),
    post: (path, body, headers = {}) => post(url, path, body, headers),
    endStreams: () => streams.forEach((response) => response.destroy()),
    settled: () => new Promise((resolve) => setTimeout(resolve, 50)),
    close: async () => {
      await ingress.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      if (options.replicaOf === undefined) await stores.close();
    },
  };
}

function disturbed(request: IncomingMessage): boolean {
  return request.url?.startsWith("/v1/") === true || request.url === "/dialplane.js";
}

function poolsOf(url: string, options: SiteOptions): ReadonlyMap<string, PoolEntry> {
  const numbers = Array.from({ length: options.numbers ?? 10 }, (_, i) => `+1202555${1000 + i}`);
  const base = { allowedOrigins: [url], numbers, ranges: [], ...options.spec };
  const others = Object.entries(options.others ?? {}).map(([key, spec], i) => aSitePool(key, i + 2, { allowedOrigins: [url], ...spec }));
  const pools = [aSitePool("default/sales", 1, base), ...others].filter(({ key }) => options.without?.includes(key) !== true);
  return new Map(pools.map((pool) => [pool.key, pool]));
}

function ingressDeps(stores: Stores, pools: ReadonlyMap<string, PoolEntry>, options: SiteOptions): IngressDeps {
  return {
    ...stores.ports,
    pools: () => pools,
    secrets: { tokenKeys, sites: new Map([["acme", [siteSecret]]]), apiTokens: ["one-that-is-being-replaced-by-the-next", apiToken], reportTokens: [reportToken] },
    clock: { now: () => new Date() },
    logger: silent,
    metrics: createMetrics(),
    health: new Health(),
    settings: { ...defaultSettings, rateLimit: { perSecond: 0, burst: 1 }, newVisitors: { perSecond: 0, burst: 1 }, ...options.settings },
  };
}

function siteApp(ingress: express.Express, pages: Readonly<Record<string, string>>): express.Express {
  const app = express();
  app.disable("x-powered-by");
  app.get("/demo/token", (request, response) => {
    const { subject } = request.query;
    response.json({ token: personToken(typeof subject === "string" ? subject : "nobody") });
  });
  app.get("/page/:name", (request, response) => {
    const page = pages[request.params.name];
    if (page === undefined) response.status(404).end();
    else response.type("html").send(page);
  });
  app.use(express.static(web));
  return app.use(ingress);
}

export function personToken(subject: string, seconds = 600): string {
  return signPersonToken({ site: "acme", subject, expiresAt: new Date(Date.now() + seconds * 1000) }, siteSecret);
}

async function post(url: string, path: string, body: unknown, headers: Record<string, string | null>): Promise<Answer> {
  const all = { Origin: url, "Content-Type": "application/json", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/132.0", ...headers };
  const kept = Object.entries<string | null>(all).filter((entry): entry is [string, string] => entry[1] !== null);
  const response = await fetch(url + path, { method: "POST", headers: kept, body: typeof body === "string" ? body : JSON.stringify(body) });
  const text = await response.text();
  // Every answer that any test gets is held against docs/openapi.json.
  assertDescribed({ method: "POST", path, status: response.status, contentType: response.headers.get("content-type"), body: text });
  return { status: response.status, headers: response.headers, body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>) };
}
