import { join } from "node:path";

import { PJSIP_REVISION_AOR } from "../../domain/asterisk-names.ts";
import { ExpectedError } from "../../domain/errors.ts";
import { readPjsip } from "../../domain/pjsip.ts";
import { AriError, type AriRest } from "../../domain/ports.ts";
import { install } from "./install.ts";
import { reloadModule } from "./reload.ts";

/** Below Asterisk's configuration folder; included by asterisk-image/etc/pjsip.conf. */
const TRUNKS_FILE = "pjsip.d/trunks.conf";

/** The first reads all objects again; the others act on what they find (networks that identify, registrations that start or stop). */
const MODULES = ["res_pjsip.so", "res_pjsip_endpoint_identifier_ip.so", "res_pjsip_outbound_registration.so"] as const;

export interface PjsipProgrammed {
  /**
   * Endpoints whose calls Asterisk can't recognise now, because the trunk's host name did not resolve and it has no sourceAddresses.
   * They can be called; to program again later mends it.
   */
  readonly unidentified: readonly string[];
}

/**
 * Makes Asterisk run the trunks of a file made by `renderPjsip` and proves it: the marker and every endpoint are read back.
 * If that fails, the last good file is put back and verified. Calls in progress go on either way.
 *
 * @param dir Asterisk's configuration folder with `pjsip.d/`
 * @throws ExpectedError InvalidInput for a damaged file (nothing is written); Unavailable, PermissionDenied or NotFound when Asterisk does
 *   not come to run it. Messages name endpoints, never secrets.
 */
export async function programPjsip({ dir, ari, content }: {
  readonly dir: string;
  readonly ari: AriRest;
  readonly content: string;
}): Promise<PjsipProgrammed> {
  const { endpoints } = readPjsip(content);
  await install({
    file: join(dir, TRUNKS_FILE),
    content,
    reload: () => reloadAll(ari),
    verify: (file) => verify(ari, file),
  });
  return { unidentified: await unidentifiedOf(ari, endpoints) };
}

/** Those whose calls Asterisk can't recognise now: their host had no address when it loaded the trunks. */
export function unidentifiedOf(ari: AriRest, endpoints: readonly string[]): Promise<readonly string[]> {
  return without(ari, "identify", endpoints);
}

/** The hash of the trunks that Asterisk runs, null when it runs none of ours. Not for a status or a log. */
export async function runningPjsipRevision(ari: AriRest): Promise<string | null> {
  const attributes = await objectOf(ari, "aor", PJSIP_REVISION_AOR);
  return attributes?.find(({ attribute }) => attribute === "voicemail_extension")?.value ?? null;
}

async function reloadAll(ari: AriRest): Promise<void> {
  for (const module of MODULES) {
    await reloadModule(ari, module);
  }
}

async function verify(ari: AriRest, file: string): Promise<void> {
  const { hash, endpoints, outgoing } = readPjsip(file);
  if ((await runningPjsipRevision(ari)) !== hash) {
    throw new ExpectedError("Unavailable", "Asterisk runs another revision of the trunks");
  }
  const missing = [...(await without(ari, "endpoint", [...endpoints, ...outgoing])), ...(await without(ari, "aor", endpoints))];
  if (missing.length > 0) {
    throw new ExpectedError("Unavailable", `${missing.length} trunks are not loaded: ${missing.slice(0, 5).join(", ")}`);
  }
}

async function without(ari: AriRest, type: "endpoint" | "aor" | "identify", ids: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const id of ids) {
    if ((await objectOf(ari, type, id)) === null) missing.push(id);
  }
  return missing;
}

interface Attribute {
  readonly attribute: string;
  readonly value: string;
}

/** Reads one object of res_pjsip; credentials (`auth`) are never asked for. */
async function objectOf(ari: AriRest, type: "endpoint" | "aor" | "identify", id: string): Promise<readonly Attribute[] | null> {
  try {
    const answer = await ari.request("GET", `/asterisk/config/dynamic/res_pjsip/${type}/${id}`);
    return Array.isArray(answer) ? (answer as Attribute[]) : null;
  } catch (error) {
    if (error instanceof AriError && error.status === 404) return null;
    throw error;
  }
}
