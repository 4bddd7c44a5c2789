import type { RequestHandler } from "express";
import type { Logger, Prospects } from "../domain/ports.ts";
import type { TokenSigner } from "../domain/puid.ts";
import type { Uuid } from "../domain/types.ts";
import { HttpProblem } from "./problem.ts";
import { parseErasure, type ErasureRequest } from "./requests.ts";

export interface ErasureDeps {
  readonly prospects: Prospects;
  readonly tokens: TokenSigner;
  readonly logger: Logger;
}

/**
 * `POST /v1/erasures`, for the site's own systems: forgets a person by the visitor token, by the log-in or by the number they called
 * from. The answer is the same whether or not the person was known. What happens afterwards is new.
 */
export function erasureRoute(deps: ErasureDeps): RequestHandler {
  return async (request, response) => {
    const body = parseErasure(request.body);
    const by = await erase(deps, body);
    // The audit trail says that it was done and when, not about whom.
    deps.logger.info({ by }, "a person was erased");
    response.status(204).end();
  };
}

async function erase({ prospects, tokens }: ErasureDeps, body: ErasureRequest): Promise<string> {
  if (body.caller !== undefined) {
    await prospects.eraseCaller(body.caller);
    return "caller";
  }
  const prospect = body.person === undefined ? ofVisitor(tokens, body.visitor) : await prospects.ofPerson(body.person);
  if (prospect !== null) await prospects.erase(prospect);
  return body.person === undefined ? "visitor" : "person";
}

/** @throws HttpProblem 400: a token that isn't ours would otherwise look like a person forgotten. */
function ofVisitor(tokens: TokenSigner, token: string | undefined): Uuid {
  const prospect = tokens.verify("visitor", token);
  if (prospect !== null) return prospect;
  throw new HttpProblem(400, "The request is not valid", { faults: [{ field: "visitor", message: "must be a visitor token that this service made" }] });
}
