import { createHash, timingSafeEqual } from "node:crypto";
import type { RequestHandler } from "express";
import { HttpProblem } from "./problem.ts";

/**
 * Lets only those through who hold one of the tokens (RFC 6750); several while one is being replaced. Without any token configured
 * nobody is let through.
 */
export function bearer(tokens: readonly string[]): RequestHandler {
  const known = tokens.map(digest);
  return (request, response, next) => {
    const given = digest(/^Bearer ([!-~]{1,512})$/i.exec(request.headers.authorization ?? "")?.[1] ?? "");
    if (known.filter((token) => timingSafeEqual(token, given)).length > 0) {
      next();
      return;
    }
    response.set("WWW-Authenticate", 'Bearer realm="dialplane"');
    throw new HttpProblem(401, "Not authorised", { faults: [{ field: "Authorization", message: "must be Bearer and a token of this service" }] });
  };
}

/** Equal length for the comparison, which then takes the same time for every token. */
function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
