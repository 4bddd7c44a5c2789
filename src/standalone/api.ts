import { Router, type Request } from "express";
import { parseE164 } from "../domain/e164.ts";
import type { SourceProblem } from "../domain/ports.ts";
import type { AnyResource } from "../domain/resources.ts";
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
    if (parseE164(request.params.did) === null) {
      throw new HttpProblem(400, "The request is not valid", { faults: [{ field: "did", message: "must be an E.164 number such as +12025550110" }] });
    }
    response.json({ associations: await api.associations(request.params.did, PAGE) });
  });
  return router;
}

export interface LocalAccess {
  /** What `DIALPLANE_API_TOKEN` says, or what is kept in the data folder. */
  readonly token: string;
  /** May be read without the token by who sits at this machine. */
  readonly isLocal: () => boolean;
}

/**
 * The token's bearer may read all. Without it only a request that was made on this machine and came directly, and only while the service
 * serves this machine alone: a proxy's requests come from here as well, and not every proxy says that it is one. docs/decisions/0037.
 */
export function localAccess({ token, isLocal }: LocalAccess): ReadAccess {
  const bearers = tokenAccess([token], []);
  return (request) => bearers(request) ?? (isLocal() && isDirect(request) ? "all" : null);
}

/** Every pool names its pages, and all of them are on this machine. Apps name none, and may be anywhere. */
export function servesThisMachineAlone(resources: readonly AnyResource[]): boolean {
  const pools = resources.filter((resource) => resource.kind === "NumberPool");
  return pools.length > 0 && pools.every(({ spec: { allowedOrigins: origins = [] } }) => origins.length > 0 && origins.every((origin) => isLocalHost(URL.parse(origin)?.hostname)));
}

/** What proxies add to a request that they hand on. */
const handedOn = /^(?:x-forwarded-.+|forwarded|x-real-ip|via)$/;

/** From here, by a name of here (a web page may rebind its own name to 127.0.0.1), and handed on by nobody. */
function isDirect({ headers, socket }: Request): boolean {
  const peer = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  return isLoopback(peer) && isLocalHost(URL.parse(`http://${headers.host ?? ""}`)?.hostname) && !Object.keys(headers).some((name) => handedOn.test(name));
}

function isLocalHost(hostname: string | undefined): boolean {
  const host = (hostname ?? "").replace(/^\[|\]$/g, "");
  return host === "localhost" || isLoopback(host);
}
