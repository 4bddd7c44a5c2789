import { Router, type Request } from "express";
import type { SourceProblem } from "../domain/ports.ts";
import type { ResourceStatus } from "../domain/statuses.ts";
import { authorised, tokenAccess, type ReadAccess } from "../ingress/bearer.ts";
import { HttpProblem } from "../ingress/problem.ts";
import { isLoopback } from "./config.ts";

export interface ReadApi {
  /** Who was shown this DID and when, newest first. */
  associations(did: string, limit: number): Promise<readonly unknown[]>;
  readonly resources: () => { readonly resources: readonly ResourceStatus[]; readonly problems: readonly SourceProblem[] };
}

const PAGE = 100;

/** What people and the demo read beside ingress' own: resources with their conditions, the history of a DID. */
export function readApi(api: ReadApi, access: ReadAccess): Router {
  const router = Router();
  router.use(["/v1/resources", "/v1/numbers/:did/history"], authorised(access));
  router.get("/v1/resources", (_request, response) => {
    response.json(api.resources());
  });
  router.get("/v1/numbers/:did/history", async (request, response) => {
    if (!/^\+[1-9][0-9]{6,14}$/.test(request.params.did)) {
      throw new HttpProblem(400, "The request is not valid", { faults: [{ field: "did", message: "must be an E.164 number such as +12025550110" }] });
    }
    response.json({ associations: await api.associations(request.params.did, PAGE) });
  });
  return router;
}

/**
 * With a token: only its bearer. Without one (loopback only, the configuration sees to that): only requests that name a loopback
 * host, so that a web page can't read calls by rebinding its own name to 127.0.0.1.
 */
export function localAccess(token: string | undefined): ReadAccess {
  return token === undefined ? (request) => (isLocalHost(request) ? "all" : null) : tokenAccess([token], []);
}

function isLocalHost({ hostname }: Request): boolean {
  // Express gives undefined for a request without Host.
  const host = ((hostname as string | undefined) ?? "").replace(/^\[|\]$/g, "");
  return host === "localhost" || isLoopback(host);
}
