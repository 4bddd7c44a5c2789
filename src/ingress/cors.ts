import type { Request, RequestHandler } from "express";
import { ampOrigins } from "./amp-origins.ts";
import { allowedOrigins, mayAsk } from "../domain/origin.ts";
import type { PoolEntry } from "../domain/ports.ts";
import type { ResourceKey } from "../domain/types.ts";
import { HttpProblem, sendProblem } from "./problem.ts";

/** Pages ask only for what is in the API; two hours is the longest that Chromium keeps a preflight's answer. */
const preflight = {
  "Access-Control-Allow-Methods": "GET, POST",
  "Access-Control-Allow-Headers": "Content-Type",
  "Access-Control-Max-Age": "7200",
};

/**
 * Cross-origin requests (https://fetch.spec.whatwg.org/#http-cors-protocol) from pages that some pool allows; the pool of the
 * request is checked again when it is known. Pages in AMP caches have one end point. A foreign origin is refused here, before anything is read.
 */
export function cors(pools: () => ReadonlyMap<ResourceKey, PoolEntry>): RequestHandler {
  return (request, response, next) => {
    const { origin } = request.headers;
    response.setHeader("Vary", "Origin").setHeader("Cache-Control", "no-store");
    const allowed = request.path === "/amp" ? ampOrigins : allowedOrigins;
    if (origin !== undefined && !allowed(pools()).has(origin)) {
      sendProblem(response, foreignOrigin(`must be among the allowedOrigins of a pool`));
      return;
    }
    if (origin !== undefined) response.setHeader("Access-Control-Allow-Origin", origin).setHeader("Access-Control-Allow-Credentials", "true");
    if (request.method === "OPTIONS") response.set(preflight).status(204).end();
    else next();
  };
}

/**
 * A pool that a request names; null when there is none, or none in service.
 * @throws HttpProblem 403 when pages of this origin may not ask for its numbers
 */
export function poolFor(pools: ReadonlyMap<ResourceKey, PoolEntry>, key: ResourceKey, origin: string | undefined): PoolEntry | null {
  const entry = pools.get(key);
  if (entry === undefined) return null;
  if (!mayAsk(entry, origin)) throw foreignOrigin(`must be among the allowedOrigins of ${key}`);
  return entry;
}

/** Whether pages of this origin may say something about the pool's numbers; of a pool that is not there nobody knows whose pages it was for. */
export function mayName(key: ResourceKey, pools: ReadonlyMap<ResourceKey, PoolEntry>, origin: string | undefined): boolean {
  const entry = pools.get(key);
  return entry === undefined || mayAsk(entry, origin);
}

/**
 * Whose page it is that asks by GET: browsers send no `Origin` with it to the page's own origin, but mostly a `Referer`. Undefined for apps, and for
 * pages of the service's own origin that hide where they are.
 */
export function pageOrigin({ headers: { origin, referer } }: Request, pools: ReadonlyMap<ResourceKey, PoolEntry>): string | undefined {
  if (origin !== undefined || referer === undefined || !URL.canParse(referer)) return origin;
  const page = new URL(referer).origin;
  return allowedOrigins(pools).has(page) ? page : undefined;
}

export function foreignOrigin(message: string): HttpProblem {
  return new HttpProblem(403, "Not allowed", { faults: [{ field: "Origin", message }] });
}
