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
import { isRecord } from "./schema.ts";

/** Fields of ObjectMeta (Kubernetes apimachinery meta/v1). Those that only the API server writes are accepted and not read. */
const KNOWN = [
  ...["name", "namespace", "labels", "annotations", "uid", "generation", "creationTimestamp"],
  ...["generateName", "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "finalizers", "ownerReferences", "managedFields", "selfLink"],
];

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
  const findings = mapFindings(annotations, ["metadata", "annotations"], () => undefined);
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
