import { timingSafeEqual } from "node:crypto";
import { Router, type NextFunction, type Request, type Response } from "express";
import type { SourceProblem } from "../domain/ports.ts";
import type { ResourceStatus } from "../domain/statuses.ts";
import { isLoopback } from "./config.ts";

export interface ReadApi {
  /** Newest first. */
  calls(limit: number): Promise<readonly unknown[]>;
  call(id: string): Promise<unknown>;
  /** Who was shown this DID and when, newest first. */
  associations(did: string, limit: number): Promise<readonly unknown[]>;
  readonly resources: () => { readonly resources: readonly ResourceStatus[]; readonly problems: readonly SourceProblem[] };
}

const PAGE = 100;

/** What people and the demo read: resources with their conditions, calls, the history of a DID. */
export function readApi(api: ReadApi, token: string | undefined): Router {
  const router = Router();
  router.use(authorise(token));
  router.get("/v1/resources", (_request, response) => {
    response.json(api.resources());
  });
  router.get("/v1/calls", async (_request, response) => {
    response.json({ calls: await api.calls(PAGE) });
  });
  router.get("/v1/calls/:id", async (request, response) => {
    const call = await api.call(request.params.id);
    if (call === null) { problem(response, 404, "Not Found", "there is no call with this id"); return; }
    response.json(call);
  });
  router.get("/v1/numbers/:did/history", async (request, response) => {
    if (!/^\+[1-9][0-9]{6,14}$/.test(request.params.did)) {
      problem(response, 400, "Bad Request", "did: must be an E.164 number such as +12025550110"); return;
    }
    response.json({ associations: await api.associations(request.params.did, PAGE) });
  });
  return router;
}

/**
 * With a token: only its bearer (RFC 6750). Without one (loopback only, the configuration sees to that): only
 * requests that name a loopback host, so that a web page can't read calls by rebinding its own name to 127.0.0.1.
 */
function authorise(token: string | undefined) {
  return (request: Request, response: Response, next: NextFunction): void => {
    if (!/^\/v1\/(resources|calls|numbers\/[^/]+\/history)/.test(request.path)) { next(); return; }
    response.set("cache-control", "no-store");
    if (token === undefined ? isLocalHost(request.hostname) : isBearer(request, token)) { next(); return; }
    if (token !== undefined) response.set("www-authenticate", "Bearer");
    problem(response, token === undefined ? 403 : 401, token === undefined ? "Forbidden" : "Unauthorized", "reading needs a bearer token");
  };
}

function isLocalHost(hostname: string | undefined): boolean {
  const host = (hostname ?? "").replace(/^\[|\]$/g, "");
  return host === "localhost" || isLoopback(host);
}

function isBearer(request: Request, token: string): boolean {
  const given = Buffer.from(/^Bearer (.+)$/.exec(request.get("authorization") ?? "")?.[1] ?? "");
  const wanted = Buffer.from(token);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** RFC 9457. */
function problem(response: Response, status: number, title: string, detail: string): void {
  response.status(status).type("application/problem+json").send(JSON.stringify({ title, status, detail }));
}
