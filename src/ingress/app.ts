import express, { type Express, type RequestHandler } from "express";
import type { Registry } from "prom-client";
import { allowedOrigins } from "../domain/origin.ts";
import type { SiteSecrets } from "../domain/person-token.ts";
import { createTokenSigner, type SigningKey } from "../domain/puid.ts";
import type { Clock, DevicePush, Logger, NumberClaims, PoolEntry, Presence, Prospects, PushBus, Records } from "../domain/ports.ts";
import type { ResourceKey } from "../domain/types.ts";
import { ALIVE, type Health } from "../shared/health.ts";
import { Admission } from "./admission.ts";
import { ampRoute } from "./amp-route.ts";
import { bearer, tokenAccess, type ReadAccess } from "./bearer.ts";
import { cors, mayName } from "./cors.ts";
import { deviceRoutes, streamRoute } from "./device-routes.ts";
import { erasureRoute } from "./erasure-route.ts";
import { forwardedFor } from "./forwarded.ts";
import { Identities } from "./identities.ts";
import { jsonBody } from "./json-body.ts";
import { createIngressMetrics, type IngressMetrics } from "./metrics.ts";
import { Newcomers } from "./newcomers.ts";
import { pushedAnswer } from "./numbers.ts";
import { numbersRoute } from "./numbers-route.ts";
import { openApiDocument } from "./openapi.ts";
import { PresenceKeeper } from "./presence-keeper.ts";
import { HttpProblem, problemHandler } from "./problem.ts";
import { rateLimited, RateLimiter, type RateLimit } from "./rate-limit.ts";
import { readRoutes } from "./read-routes.ts";
import { snippetFile } from "./snippet-file.ts";
import { Streams, type StreamLimits } from "./streams.ts";

export interface IngressDeps {
  readonly claims: NumberClaims;
  readonly prospects: Prospects;
  readonly presence: Presence;
  readonly pushes: PushBus;
  readonly records: Records;
  /** Who may read call records and pools; by the bearer tokens of `secrets` unless given. */
  readonly access?: ReadAccess;
  /** Accepted pools as they are now. The same Map as long as nothing changed: what is derived from it is kept by identity. */
  readonly pools: () => ReadonlyMap<ResourceKey, PoolEntry>;
  readonly secrets: IngressSecrets;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly health: Health;
  readonly settings: IngressSettings;
}

export interface IngressSecrets {
  /** The first signs visitor and device tokens, all verify. */
  readonly tokenKeys: readonly [SigningKey, ...SigningKey[]];
  /** What each site's back end signs person tokens with. */
  readonly sites: SiteSecrets;
  /** Bearer tokens of the site's own systems; without any, what needs one answers 401. */
  readonly apiTokens?: readonly string[];
  /** Bearer tokens for reports: they read, but see no caller's whole number. */
  readonly reportTokens?: readonly string[];
}

export interface IngressSettings {
  readonly rateLimit: RateLimit;
  /** Visitors without a device token, of each address: their numbers are gone for a lease and a cool-down. */
  readonly newVisitors: RateLimit;
  readonly streams: StreamLimits;
  readonly presence: { readonly ttlSeconds: number; readonly heartbeatSeconds: number };
  /** Requests under way that are always accepted; more, up to ten times that, while a turn of the event loop answers as many. Beyond it the answer is a quick 503. */
  readonly maxWaiting: number;
  /** A request for numbers is answered 503 after this. Less than the 5 s after which the browser script gives up. */
  readonly answerWithinMilliseconds: number;
  /** Express' "trust proxy": false, or addresses and networks of the proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[] | false;
}

export const defaultSettings: IngressSettings = {
  rateLimit: { perSecond: 20, burst: 60 },
  newVisitors: { perSecond: 2, burst: 20 },
  streams: { maxStreams: 20_000, maxStreamsPerDevice: 8, keepAliveSeconds: 20, maxSeconds: 300 },
  presence: { ttlSeconds: 45, heartbeatSeconds: 15 },
  maxWaiting: 500,
  answerWithinMilliseconds: 4_000,
  trustedProxies: false,
};

export interface Ingress {
  readonly app: Express;
  /** Ends all streams and takes no new ones: an HTTP server waits for its open responses when it is closed. */
  endStreams(): void;
  /** Ends all streams, writes the last presence and lets go of the push bus. Close the HTTP server around it. */
  stop(): Promise<void>;
}

/** The whole web side: numbers for pages and apps. Resolves when pushes from other replicas are being heard. */
export async function createIngress(deps: IngressDeps): Promise<Ingress> {
  const metrics = createIngressMetrics(deps.metrics);
  const presence = new PresenceKeeper(deps.presence, deps.logger, deps.settings.presence);
  const streams = new Streams(presence, deps.settings.streams, metrics.openStreams);
  const unsubscribe = await deps.pushes.subscribe((push) => deliver({ ...deps, streams, counts: metrics }, push));
  return {
    app: createApp(deps, { metrics, presence, streams }),
    endStreams: () => streams.stop(),
    stop: async () => {
      streams.stop();
      await unsubscribe();
      await presence.stop();
    },
  };
}

function deliver(deps: Pick<IngressDeps, "pools" | "clock"> & { streams: Streams; counts: IngressMetrics }, push: DevicePush): void {
  const pools = deps.pools();
  const told = { event: "number", data: pushedAnswer(push, pools, deps.clock.now()) };
  // A person may be on pages of several sites: each hears of its own pools only.
  deps.counts.pushes.inc(deps.streams.send(push.device, told, (origin) => mayName(push.pool, pools, origin)));
}

function createApp(deps: IngressDeps, parts: { metrics: IngressMetrics; presence: PresenceKeeper; streams: Streams }): Express {
  const { settings, secrets } = deps;
  const tokens = createTokenSigner(secrets.tokenKeys);
  const identities = new Identities(tokens);
  const app = express();
  app.disable("x-powered-by").disable("etag").set("trust proxy", settings.trustedProxies).set("query parser", "simple");
  const admission = new Admission(settings.maxWaiting, parts.metrics);
  app.use(securityHeaders, forwardedFor(settings.trustedProxies, deps), admission.refuseEarly((origin) => allowedOrigins(deps.pools()).has(origin)));
  // In this order: a foreign page costs nothing, a flood costs one look-up, and only then is a body read.
  const limiter = new RateLimiter(settings.rateLimit, deps.clock);
  const limited = [cors(deps.pools), rateLimited(limiter, parts.metrics.refused)];
  const visitors = [...limited, jsonBody(), admission.admit];
  const newcomers = () => new Newcomers(settings.newVisitors, deps.clock, parts.metrics.refused);
  const numbers = { ...deps, identities, newcomers: newcomers(), counts: parts.metrics, answerWithinMilliseconds: settings.answerWithinMilliseconds };
  // Before all others: it is what is asked for most, and a route that is passed costs as much as one that is taken.
  app.post("/v1/numbers", visitors, numbersRoute({ ...numbers, limiter }));
  operations(app, deps);
  app.get("/dialplane.js", snippetFile());
  const description = JSON.stringify(openApiDocument());
  app.get("/openapi.json", (_request, response) => void response.type("application/openapi+json").set("Access-Control-Allow-Origin", "*").send(description));

  // Before CORS: no page may read calls, whatever its origin. Before the limits: who holds a token for reading is no visitor.
  const reading = readRoutes({ ...deps, access: deps.access ?? tokenAccess(secrets.apiTokens ?? [], secrets.reportTokens ?? []) });
  app.use("/v1", reading);
  // Before the admission, however its path is spelled: a stream would take up the room of a request for minutes.
  app.get("/v1/stream", notForHead, limited, streamRoute({ ...deps, identities, streams: parts.streams }));
  app.use("/v1", visitors);
  app.get("/v1/amp", notForHead, ampRoute(numbers));
  app.post("/v1/erasures", bearer(secrets.apiTokens ?? []), erasureRoute({ ...deps, tokens }));
  app.use("/v1", deviceRoutes({ ...deps, ...parts, identities, newcomers: numbers.newcomers, leavers: newcomers(), sites: secrets.sites }));

  app.use((request) => {
    throw new HttpProblem(404, "Not found", { detail: `there is no ${request.method} ${request.path.slice(0, 100)}` });
  });
  app.use(problemHandler(deps.logger));
  return app;
}

/** Express answers HEAD by what it has for GET, and would open a stream, or lend a number, for whoever wants no body. */
const notForHead: RequestHandler = (request, _response, next) => next(request.method === "GET" ? undefined : "route");

function operations(app: Express, deps: Pick<IngressDeps, "health" | "metrics">): void {
  app.get("/healthz", (_request, response) => void response.json(ALIVE));
  app.get("/readyz", (_request, response) => {
    const report = deps.health.report();
    response.status(report.ready ? 200 : 503).json(report);
  });
  app.get("/metrics", async (_request, response) => {
    response.type(deps.metrics.contentType).send(await deps.metrics.metrics());
  });
}

const securityHeaders: RequestHandler = (_request, response, next) => {
  response.setHeader("X-Content-Type-Options", "nosniff");
  response.setHeader("Referrer-Policy", "no-referrer");
  response.setHeader("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  next();
};
