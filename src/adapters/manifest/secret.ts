import type { Credentials } from "../../domain/ports.ts";
import { errorAt, type Finding } from "../../domain/validate/finding.ts";
import type { ResourceKey } from "../../domain/types.ts";
import { isRecord } from "../../shared/json.ts";
import { metadataFindings, readMetadata } from "./metadata.ts";

/** Digest credentials longer than this are no carrier's. */
const MAX_LENGTH = 256;

const UNWRITABLE = /[\p{Cc}\u2028\u2029]|^\s|\s$/u;

export interface ReadSecret {
  /** `namespace/name`; null when the metadata has errors. */
  readonly key: ResourceKey | null;
  /** null when the Secret does not hold both keys: it is then somebody else's. */
  readonly credentials: Credentials | null;
  /** Of the two keys those that it does not hold. */
  readonly lacking: readonly string[];
  readonly errors: readonly Finding[];
}

/** A trunk's credentials out of a Secret of Kubernetes v1. No message ever holds a value. */
export function readSecret(secret: Record<string, unknown>): ReadSecret {
  const errors = [...metadataFindings(secret["metadata"])];
  if (secret["apiVersion"] !== "v1") errors.push(errorAt(["apiVersion"], "must be v1"));
  const username = valueOf(secret, "username", errors);
  const password = valueOf(secret, "password", errors);
  if (errors.length > 0 || !isRecord(secret["metadata"])) return { key: null, credentials: null, lacking: [], errors };
  const { namespace, name } = readMetadata(secret["metadata"]);
  const key = `${namespace}/${name}`;
  if (username !== undefined && password !== undefined) return { key, credentials: { username, password }, lacking: [], errors };
  const lacking = [...(username === undefined ? ["username"] : []), ...(password === undefined ? ["password"] : [])];
  return { key, credentials: null, lacking, errors };
}

/** `stringData` comes before `data` (base64), as in the API server. */
function valueOf(secret: Record<string, unknown>, key: string, errors: Finding[]): string | undefined {
  const { stringData, data } = secret;
  if (isRecord(stringData) && stringData[key] !== undefined) return checked(stringData[key], ["stringData", key], errors);
  if (!isRecord(data) || data[key] === undefined) return undefined;
  const encoded = data[key];
  if (typeof encoded === "string" && /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(encoded)) {
    return checked(Buffer.from(encoded, "base64").toString("utf8"), ["data", key], errors);
  }
  errors.push(errorAt(["data", key], "must be base64"));
  return undefined;
}

/** What a line of a configuration file can hold: it ends at control characters, and spaces around a value are lost. */
function checked(value: unknown, path: string[], errors: Finding[]): string | undefined {
  if (typeof value === "string" && value.length > 0 && value.length <= MAX_LENGTH && !UNWRITABLE.test(value) && value.isWellFormed()) return value;
  errors.push(errorAt(path, `must be a string of 1 to ${MAX_LENGTH} characters without line breaks, control characters and spaces at its ends`));
  return undefined;
}
