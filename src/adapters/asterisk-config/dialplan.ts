import { join } from "node:path";

import { COUNTED_CALLS_VARIABLE, REVISION_VARIABLE, UNKNOWN_CALLS_VARIABLE } from "../../domain/asterisk-names.ts";
import { dialplanFile, dialplanHash, dialplanMarker } from "../../domain/dialplan.ts";
import { dialplanProbes } from "../../domain/dialplan-probes.ts";
import { ExpectedError } from "../../domain/errors.ts";
import type { AriRest, DialplanRevision } from "../../domain/ports.ts";
import { install } from "./install.ts";
import { missingProbes, valueOf } from "./probe-dialplan.ts";
import { reloadModule } from "./reload.ts";

/** Below Asterisk's configuration folder; included by asterisk-image/etc/extensions.conf. */
const DIALPLAN_FILE = "extensions.d/dialplane.conf";

/**
 * Makes Asterisk run a dialplan and proves it: the marker and one number of every context are read back.
 * If that fails, the last good dialplan is put back and verified. Calls in progress go on either way.
 *
 * @param dir Asterisk's configuration folder with `extensions.d/`
 * @throws ExpectedError InvalidInput for content that is not what its hash says (nothing is written); Unavailable, PermissionDenied or
 *   NotFound when Asterisk does not come to run it, with the reason
 */
export async function programDialplan({ dir, ari, revision }: {
  readonly dir: string;
  readonly ari: AriRest;
  readonly revision: Pick<DialplanRevision, "content" | "hash" | "marker">;
}): Promise<void> {
  assertIntact(revision);
  await install({
    file: join(dir, DIALPLAN_FILE),
    content: dialplanFile(revision),
    reload: () => reloadModule(ari, "pbx_config.so"),
    verify: (file) => verify(ari, file),
  });
}

/** The hash of the dialplan that Asterisk runs, null when it runs none of ours. */
export async function runningRevision(ari: AriRest): Promise<string | null> {
  const value = await globalVariable(ari, REVISION_VARIABLE);
  return value === "" ? null : value;
}

/** Calls to DIDs that no pool owns, since the last reload. A counter: it falls to 0 with each. */
export async function unknownCalls(ari: AriRest): Promise<number> {
  return Number(await globalVariable(ari, UNKNOWN_CALLS_VARIABLE)) || 0;
}

/** Those that were noted as counted, since the last reload. */
export async function countedUnknownCalls(ari: AriRest): Promise<number> {
  return Number(await globalVariable(ari, COUNTED_CALLS_VARIABLE)) || 0;
}

export async function noteCountedCalls(ari: AriRest, counted: number): Promise<void> {
  await ari.request("POST", "/asterisk/variable", { variable: COUNTED_CALLS_VARIABLE, value: String(counted) });
}

async function globalVariable(ari: AriRest, variable: string): Promise<string> {
  return valueOf(await ari.request("GET", "/asterisk/variable", { variable }));
}

/** A truncated or altered row, or one of a renderer that we don't know, never reaches Asterisk. */
function assertIntact({ content, hash, marker }: Pick<DialplanRevision, "content" | "hash" | "marker">): void {
  if (dialplanHash(content) !== hash) {
    throw new ExpectedError("InvalidInput", `the dialplan's content does not have the hash ${hash}`, { field: "content" });
  }
  if (marker !== dialplanMarker(hash)) {
    throw new ExpectedError("InvalidInput", `the dialplan's marker must be ${dialplanMarker(hash)}`, { field: "marker" });
  }
  dialplanProbes(content);
}

async function verify(ari: AriRest, file: string): Promise<void> {
  const expected = new RegExp(`\\n${REVISION_VARIABLE} = ([0-9a-f]{64})\\n$`).exec(file)?.[1];
  const running = await runningRevision(ari);
  if (expected === undefined || running !== expected) {
    throw new ExpectedError("Unavailable", `expected revision ${expected ?? "unknown"}, Asterisk runs ${running ?? "none"}`);
  }
  const missing = await missingProbes(ari, dialplanProbes(file));
  if (missing.length > 0) {
    throw new ExpectedError("Unavailable", `${missing.length} contexts are not loaded: ${missing.slice(0, 5).join("; ")}`);
  }
}
