import { randomBytes } from "node:crypto";

import { ExpectedError } from "./errors.ts";
import { readPjsip } from "./pjsip.ts";
import type { TrunkConfiguration } from "./ports.ts";

/**
 * The file that carries rendered trunks to the pods: a key of a Secret there, a file in a folder here. Its first line names the
 * revision, which is made of chance and not of secrets: unlike the content's hash it may stand in reports and statuses.
 */
export const TRUNK_FILE = "trunks.conf";

const HEADER = /^; dialplane-trunks-revision ([0-9a-f]{32})\n/;
/** The API server refuses a Secret whose data is larger (core/v1 MaxSecretSize, 1 MiB). */
const MAX_BYTES = 1_048_576;

export interface TrunkFile {
  readonly revision: string;
  readonly trunks: TrunkConfiguration;
}

/** Never one that was there before: a pod that reports it runs exactly this file. */
export function newTrunkRevision(): string {
  return randomBytes(16).toString("hex");
}

/** @throws ExpectedError InvalidInput when a Secret could not hold it */
export function trunkFile({ revision, trunks }: { readonly revision: string; readonly trunks: TrunkConfiguration }): string {
  const text = `; dialplane-trunks-revision ${revision}\n${trunks.content}`;
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_BYTES) {
    const message = `the ${trunks.endpoints.length} SipTrunks take ${bytes} bytes rendered, and a Secret holds at most ${MAX_BYTES} (about 900 trunks, 480 with authentication): delete some`;
    throw new ExpectedError("InvalidInput", message, { field: "trunks" });
  }
  return text;
}

/** @throws ExpectedError InvalidInput for anything that `trunkFile` has not made, or that was damaged since. Says nothing of the content. */
export function readTrunkFile(text: string): TrunkFile {
  const [header, revision] = HEADER.exec(text) ?? [];
  if (header === undefined || revision === undefined) {
    throw new ExpectedError("InvalidInput", `${TRUNK_FILE} must begin with the line that names its revision`, { field: TRUNK_FILE });
  }
  const content = text.slice(header.length);
  return { revision, trunks: { content, ...readPjsip(content) } };
}
