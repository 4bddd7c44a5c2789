import { createHash, timingSafeEqual } from "node:crypto";
import type { Request, RequestHandler, Response } from "express";
import { HttpProblem } from "./problem.ts";

/** Who may read: everything, or everything but whole telephone numbers of callers. */
export type Rights = "all" | "masked";

/** @returns null for a request that may read nothing */
export type ReadAccess = (request: Request) => Rights | null;

/**
 * By bearer token (RFC 6750): tokens of the site's own systems read all, those for reports read callers' numbers masked. Without any
 * token configured nobody reads anything.
 */
export function tokenAccess(apiTokens: readonly string[], reportTokens: readonly string[]): ReadAccess {
  const all = apiTokens.map(digest);
  const masked = reportTokens.map(digest);
  return ({ headers }) => {
    const given = digest(/^Bearer ([!-~]{1,512})$/i.exec(headers.authorization ?? "")?.[1] ?? "");
    if (isAmong(all, given)) return "all";
    return isAmong(masked, given) ? "masked" : null;
  };
}

/** Lets only those through who hold one of the tokens. */
export function bearer(tokens: readonly string[]): RequestHandler {
  return authorised(tokenAccess(tokens, []));
}

const wanted = "must be Bearer and a token of this service (DIALPLANE_API_TOKENS; of standalone DIALPLANE_API_TOKEN, or the one in its data folder)";

/** Lets those through whom `access` knows; handlers find their rights with `rightsOf`. */
export function authorised(access: ReadAccess): RequestHandler {
  return (request, response, next) => {
    const rights = access(request);
    if (rights === null) {
      response.set("WWW-Authenticate", 'Bearer realm="dialplane"');
      throw new HttpProblem(401, "Not authorised", { faults: [{ field: "Authorization", message: wanted }] });
    }
    response.locals["rights"] = rights;
    response.set("Cache-Control", "no-store");
    next();
  };
}

/** What `authorised` found; the least for whoever comes without it. */
export function rightsOf(response: Response): Rights {
  return response.locals["rights"] === "all" ? "all" : "masked";
}

function isAmong(known: readonly Buffer[], given: Buffer): boolean {
  return known.filter((token) => timingSafeEqual(token, given)).length > 0;
}

/** Equal length for the comparison, which then takes the same time for every token. */
function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
