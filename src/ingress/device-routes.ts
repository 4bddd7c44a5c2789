import { Router, type Request, type RequestHandler, type Response } from "express";
import { ExpectedError } from "../domain/errors.ts";
import { verifyPersonToken, type PersonClaims, type SiteSecrets } from "../domain/person-token.ts";
import { consentOrigins } from "../domain/origin.ts";
import type { Clock, DevicePush, Logger, NumberClaims, PoolEntry, Prospects, PushBus, ShownElsewhere } from "../domain/ports.ts";
import { poolsBehind } from "../domain/source-pool.ts";
import type { ResourceKey } from "../domain/types.ts";
import { forgetTokens, givenTokens, hasCookies, keepTokens } from "./cookies.ts";
import { mayName, pageOrigin } from "./cors.ts";
import { nobody, type Identities, type IdentityTokens } from "./identities.ts";
import type { Newcomers } from "./newcomers.ts";
import type { PresenceKeeper } from "./presence-keeper.ts";
import { HttpProblem } from "./problem.ts";
import { tell } from "./pushes.ts";
import { tooMany } from "./rate-limit.ts";
import { parseDevice, parseIdentify, parsePresence, parseRelease } from "./requests.ts";
import type { Streams } from "./streams.ts";

export interface DeviceRoutesDeps {
  readonly identities: Identities;
  /** Who logs in without a device token of ours makes a new device. The same limit as for numbers. */
  readonly newcomers: Newcomers;
  /** Who leaves is a new visitor from then on. A limit of their own: newcomers must keep nobody from logging out. */
  readonly leavers: Newcomers;
  readonly prospects: Prospects;
  readonly claims: NumberClaims;
  readonly pushes: PushBus;
  readonly logger: Logger;
  readonly pools: () => ReadonlyMap<ResourceKey, PoolEntry>;
  readonly presence: PresenceKeeper;
  readonly streams: Streams;
  readonly sites: SiteSecrets;
  readonly clock: Clock;
}

/** Of one release: a request may name a hundred pools. */
const mostPushes = 1_000;

/** What a device says about itself: who uses it, whether it is there, that it needs its number no more. */
export function deviceRoutes(deps: DeviceRoutesDeps): Router {
  const routes = Router();
  routes.post("/identify", (request, response) => identify(deps, request, response));
  routes.post("/leave", (request, response) => leave(deps, request, response));
  routes.post("/release", (request, response) => release(deps, request, response));
  routes.post("/presence", (request, response) => presence(deps, request, response));
  return routes;
}

/** EventSource sends no headers of its own, so the device is in the query. The visitor follows from it. */
export function streamRoute({ identities, streams, pools }: Pick<DeviceRoutesDeps, "identities" | "streams" | "pools">): RequestHandler {
  return (request, response) => {
    const { device } = request.query;
    const listener = { device: identities.device(givenTokens(request, { device: typeof device === "string" ? device : null })), origin: pageOrigin(request, pools()) };
    streams.open(listener, request, response);
  };
}

async function identify(deps: DeviceRoutesDeps, request: Request, response: Response): Promise<void> {
  const body = parseIdentify(request.body);
  const person = personOf(deps, body.token);
  if (!mayRemember(deps, request, body.consent)) {
    response.json(nobody);
    return;
  }
  const met = deps.identities.meet(givenTokens(request, body));
  if (met.isNew) assertOneMore(deps.newcomers, request);
  const { prospect, merged } = await deps.prospects.identify({ site: person.site, subject: person.subject, ...met.claimed });
  answerTokens(request, response, { ...met.tokens(prospect), merged });
}

/**
 * As for numbers: whoever denies is not remembered, nor who says nothing where a pool wants a consent. The request names no pool, so those
 * that the page may ask for count; apps, which send no `Origin`, know their pools themselves.
 */
function mayRemember({ pools }: DeviceRoutesDeps, { headers: { origin } }: Request, consent: "granted" | "denied" | null | undefined): boolean {
  if (consent === "denied") return false;
  return consent === "granted" || origin === undefined || !consentOrigins(pools()).has(origin);
}

/** A person the site doesn't vouch for is 401: the page's own back end made the token, so it can make a new one. */
function personOf(deps: DeviceRoutesDeps, token: string): PersonClaims {
  try {
    return verifyPersonToken(token, deps.sites, deps.clock.now());
  } catch (error) {
    if (!(error instanceof ExpectedError)) throw error;
    throw new HttpProblem(401, "The person is not known", { faults: [{ field: "token", message: error.message }] });
  }
}

async function leave(deps: DeviceRoutesDeps, request: Request, response: Response): Promise<void> {
  const device = deps.identities.device(givenTokens(request, parseDevice(request.body)));
  assertOneMore(deps.leavers, request);
  const prospect = await deps.prospects.leave(device);
  answerTokens(request, response, deps.identities.seal({ prospect, device }));
}

/** @throws HttpProblem 429 when the address has brought as many as it may */
function assertOneMore(newcomers: Newcomers, { ip = "" }: Request): void {
  const waitSeconds = newcomers.take(ip);
  if (waitSeconds > 0) throw tooMany(waitSeconds);
}

function answerTokens(request: Request, response: Response, answer: IdentityTokens & { readonly merged?: boolean }): void {
  keepTokens(request, response, answer);
  response.json(answer);
}

async function release(deps: DeviceRoutesDeps, request: Request, response: Response): Promise<void> {
  const body = parseRelease(request.body);
  const pools = deps.pools();
  const { origin } = request.headers;
  // A page may know of others' pools by a stream of an earlier release: what it may not ask for is left alone, and the rest is given back.
  const asked = body.pools.filter((key) => mayName(key, pools, origin)).map((key) => ({ key, lenders: lendersOf(key, pools) }));
  const device = deps.identities.device(givenTokens(request, body));
  // Pages of other origins, and in AMP format, are known by the same cookie and hear nothing of what the browser tells the pages of one origin.
  const by = { device, isOnlyPage: !hasCookies(request) };
  const elsewhere = await deps.claims.release([...new Set(asked.flatMap(({ lenders }) => lenders))], by);
  await tell(deps, elsewhere.flatMap((shown) => givenBack(shown, asked)).slice(0, mostPushes));
  if (body.consent === "denied") forgetTokens(request, response);
  response.status(204).end();
}

/** A pool that was removed meanwhile may have lent a number all the same; one that never was has lent none. */
function lendersOf(key: ResourceKey, pools: ReadonlyMap<ResourceKey, PoolEntry>): readonly ResourceKey[] {
  const entry = pools.get(key);
  return entry === undefined ? [key] : poolsBehind(entry, pools);
}

/** Devices know a number by the pool that their page names, which may be another than the one that lent it. */
function givenBack({ device, pool, mediaElement }: ShownElsewhere, asked: readonly { readonly key: ResourceKey; readonly lenders: readonly ResourceKey[] }[]): readonly DevicePush[] {
  return asked.filter(({ lenders }) => lenders.includes(pool)).map(({ key }) => ({ device, pool: key, mediaElement, did: null, leasedUntil: null }));
}

function presence(deps: DeviceRoutesDeps, request: Request, response: Response): void {
  const body = parsePresence(request.body);
  const device = deps.identities.device(givenTokens(request, body));
  if (body.state === "online") deps.presence.heard(device);
  else deps.presence.left(device);
  response.status(204).end();
}
