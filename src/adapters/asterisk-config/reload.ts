import { setTimeout as sleep } from "node:timers/promises";

import { ExpectedError } from "../../domain/errors.ts";
import { AriError, type AriRest } from "../../domain/ports.ts";

const ATTEMPTS = 5;
const PAUSE_MS = 100;

/**
 * Reloads one module (`PUT /asterisk/modules/{module}`). 409 is a reload by somebody else in progress, or a missing #include;
 * 503 and 404 come while Asterisk starts. An answer of success proves nothing: verify.
 *
 * @throws ExpectedError Unavailable when Asterisk keeps refusing
 */
export async function reloadModule(ari: AriRest, module: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await ari.request("PUT", `/asterisk/modules/${module}`);
      return;
    } catch (error) {
      if (!(error instanceof AriError) || ![404, 409, 503].includes(error.status)) throw error;
      if (attempt === ATTEMPTS) {
        throw new ExpectedError("Unavailable", `Asterisk refused to reload ${module} (status ${error.status})`, { cause: error });
      }
      await sleep(PAUSE_MS);
    }
  }
}
