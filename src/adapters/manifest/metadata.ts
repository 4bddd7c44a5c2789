import { errorAt, type FieldPath, type Finding } from "../../domain/validate/finding.ts";
import {
  DNS_LABEL_RULE,
  DNS_SUBDOMAIN_RULE,
  isDnsLabel,
  isDnsSubdomain,
  isLabelValue,
  isQualifiedName,
  LABEL_VALUE_RULE,
  QUALIFIED_NAME_RULE,
} from "../../domain/validate/names.ts";
import type { ResourceMetadata } from "../../domain/resources.ts";
import { isRecord } from "../../shared/json.ts";
import type { StructuralSchema } from "./schema.ts";

const STRING: StructuralSchema = { type: "string" };
const INTEGER: StructuralSchema = { type: "integer" };
const STRINGS: StructuralSchema = { type: "object", additionalProperties: STRING };
const LIST: StructuralSchema = { type: "array" };

/** Fields of ObjectMeta (Kubernetes apimachinery meta/v1). Those that only the API server writes are accepted and not read. */
const FIELDS: Readonly<Record<string, StructuralSchema>> = {
  ...{ name: STRING, namespace: STRING, labels: STRINGS, annotations: STRINGS },
  ...{ uid: STRING, generation: INTEGER, creationTimestamp: STRING },
  ...{ generateName: STRING, resourceVersion: STRING, selfLink: STRING, deletionTimestamp: STRING, deletionGracePeriodSeconds: INTEGER },
  ...{ finalizers: LIST, ownerReferences: LIST, managedFields: LIST },
};

const TEXT = { holds: (value: unknown): boolean => typeof value === "string", message: "must be a string" };
const TIME = { holds: isTime, message: "must be a time, for example 2026-01-02T03:04:05Z" };
const NUMBER = { holds: Number.isSafeInteger, message: "must be a whole number" };
const SERVER_FIELDS = {
  ...{ uid: TEXT, generateName: TEXT, resourceVersion: TEXT, selfLink: TEXT },
  ...{ creationTimestamp: TIME, deletionTimestamp: TIME },
  ...{ generation: NUMBER, deletionGracePeriodSeconds: NUMBER },
};

export const OBJECT_META: StructuralSchema = { type: "object", properties: FIELDS };

const KNOWN = Object.keys(FIELDS);

/** Bytes of names and values together, the API server's own limit. */
const MAX_ANNOTATION_BYTES = 256 * 1024;

/** A time for objects that were never stored: among equals the name then decides. */
const NEVER_STORED = "1970-01-01T00:00:00Z";

/** @param maxNameLength what the kind allows; Kubernetes itself allows 253 */
export function metadataFindings(metadata: unknown, maxNameLength = 253): Finding[] {
  if (metadata === undefined) return [errorAt(["metadata", "name"], "must be specified")];
  if (!isRecord(metadata)) return [errorAt(["metadata"], "must be an object")];
  const unknown = Object.keys(metadata).filter((name) => !KNOWN.includes(name));
  return [
    ...unknown.map((name) => errorAt(["metadata", name], `must not be present: unknown field; known are ${KNOWN.slice(0, 4).join(", ")}`)),
    ...nameFindings(metadata["name"], maxNameLength),
    ...namespaceFindings(metadata["namespace"]),
    ...labelFindings(metadata["labels"]),
    ...annotationFindings(metadata["annotations"]),
    ...serverFieldFindings(metadata),
  ];
}

/** The metadata of a valid object. Identity comes with it where the source has one. */
export function readMetadata(metadata: Record<string, unknown>): ResourceMetadata {
  const { name, namespace, uid, generation, creationTimestamp, labels, annotations } = metadata as Partial<ResourceMetadata>;
  return {
    name: name ?? "",
    namespace: namespace ?? "default",
    uid: typeof uid === "string" ? uid : "",
    generation: typeof generation === "number" ? generation : 1,
    creationTimestamp: typeof creationTimestamp === "string" ? creationTimestamp : NEVER_STORED,
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** Fields that nobody writes by hand, yet an exported object has them: only what the API server couldn't decode is refused. */
function serverFieldFindings(metadata: Record<string, unknown>): Finding[] {
  return Object.entries(SERVER_FIELDS).flatMap(([name, { holds, message }]) =>
    metadata[name] === undefined || holds(metadata[name]) ? [] : [errorAt(["metadata", name], message)],
  );
}

/** RFC 3339. */
function isTime(value: unknown): boolean {
  return typeof value === "string" && /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(value) && !Number.isNaN(Date.parse(value));
}

function nameFindings(name: unknown, maxLength: number): Finding[] {
  const path = ["metadata", "name"];
  if (name === undefined) return [errorAt(path, "must be specified")];
  if (typeof name !== "string" || !isDnsSubdomain(name)) return [errorAt(path, `must be ${DNS_SUBDOMAIN_RULE}`)];
  return name.length <= maxLength ? [] : [errorAt(path, `must have at most ${maxLength} characters`)];
}

function namespaceFindings(namespace: unknown): Finding[] {
  if (namespace === undefined || (typeof namespace === "string" && isDnsLabel(namespace))) return [];
  return [errorAt(["metadata", "namespace"], `must be ${DNS_LABEL_RULE}`)];
}

function labelFindings(labels: unknown): Finding[] {
  return mapFindings(labels, ["metadata", "labels"], (value) => (isLabelValue(value) ? undefined : `must be empty or ${LABEL_VALUE_RULE}`));
}

function annotationFindings(annotations: unknown): Finding[] {
  // Unlike labels, annotations may have upper case in the prefix of their names.
  const named = isRecord(annotations) ? Object.fromEntries(Object.entries(annotations).map(([key, value]) => [key.toLowerCase(), value])) : annotations;
  const findings = mapFindings(named, ["metadata", "annotations"], () => undefined);
  const bytes = Buffer.byteLength(isRecord(annotations) ? JSON.stringify(annotations) : "");
  if (bytes > MAX_ANNOTATION_BYTES) findings.push(errorAt(["metadata", "annotations"], `must be at most ${MAX_ANNOTATION_BYTES} bytes together`));
  return findings;
}

function mapFindings(map: unknown, path: FieldPath, refusal: (value: string) => string | undefined): Finding[] {
  if (map === undefined) return [];
  if (!isRecord(map)) return [errorAt(path, "must be an object")];
  return Object.entries(map).flatMap(([key, value]) => {
    if (!isQualifiedName(key)) return [errorAt([...path, key], `must have as its name ${QUALIFIED_NAME_RULE}`)];
    const message = typeof value === "string" ? refusal(value) : "must be a string: write it in quotes";
    return message === undefined ? [] : [errorAt([...path, key], message)];
  });
}
