import type { Credentials } from "../../domain/ports.ts";
import { errorAt, type Finding } from "../../domain/validate/finding.ts";
import type { ResourceKey } from "../../domain/types.ts";
import { isRecord } from "../../shared/json.ts";
import { metadataFindings, readMetadata } from "./metadata.ts";

/** Digest credentials longer than this are no carrier's. */
const MAX_LENGTH = 256;

const UNWRITABLE = /[\p{Cc}\u2028\u2029]|^\s|\s$/u;

const KEYS = ["username", "password"];

export interface ReadSecret {
  /** `namespace/name`; null when it has no name. */
  readonly key: ResourceKey | null;
  /** null when the Secret does not hold both keys, it is then somebody else's, and when it has errors. */
  readonly credentials: Credentials | null;
  /** Of the two keys those that it does not hold. */
  readonly lacking: readonly string[];
  /** None of a Secret that lacks a key. */
  readonly errors: readonly Finding[];
}

/** A trunk's credentials out of a Secret of Kubernetes v1. No message ever holds a value. */
export function readSecret(secret: Record<string, unknown>): ReadSecret {
  const key = keyOf(secret["metadata"]);
  const lacking = KEYS.filter((name) => !holds(secret["stringData"], name) && !holds(secret["data"], name));
  if (lacking.length > 0) return { key, credentials: null, lacking, errors: [] };
  const errors = [...metadataFindings(secret["metadata"])];
  if (secret["apiVersion"] !== "v1") errors.push(errorAt(["apiVersion"], "must be v1"));
  const username = valueOf(secret, "username", errors);
  const password = valueOf(secret, "password", errors);
  const credentials = errors.length > 0 || username === undefined || password === undefined ? null : { username, password };
  return { key, credentials, lacking, errors };
}

function keyOf(metadata: unknown): ResourceKey | null {
  if (!isRecord(metadata) || typeof metadata["name"] !== "string") return null;
  const { namespace, name } = readMetadata(metadata);
  return `${namespace}/${name}`;
}

function holds(data: unknown, key: string): boolean {
  return isRecord(data) && data[key] !== undefined;
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
