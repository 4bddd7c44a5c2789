import type { AnyResource } from "../../domain/resources.ts";
import { errorAt, fieldName, type FieldPath, type Finding } from "../../domain/validate/finding.ts";
import { resourceFindings } from "../../domain/validate/resource.ts";
import { isRecord } from "../../shared/json.ts";
import type { KindSchema, Schemas } from "./load-schemas.ts";
import { metadataFindings, readMetadata } from "./metadata.ts";

export type Validation =
  | { readonly ok: true; readonly resource: AnyResource; readonly warnings: readonly Finding[] }
  | { readonly ok: false; readonly errors: readonly Finding[]; readonly warnings: readonly Finding[] };

/**
 * Who writes a manifest is told of a field that is not known: mostly it is mistyped. What an API server stored was checked by it, maybe
 * against newer definitions than ours, as after a roll-back: then what we don't know is passed over, and the rest counts.
 */
export type Origin = "manifest" | "stored";

/**
 * Checks one object as the API server would under strict field validation (schema, defaults, list types, CEL), then
 * what only the domain knows. A later stage runs only when the earlier ones found nothing.
 * @param input a parsed object; it is not changed. `status` is not read: who writes manifests does not declare it.
 */
export function validateResource(schemas: Schemas, input: unknown, origin: Origin = "manifest"): Validation {
  const conforming = conformResource(schemas, input, origin);
  return conforming.ok ? judged(conforming.resource) : conforming;
}

/** The same without what only the domain knows: everything that the API server itself would refuse. */
export function conformResource(schemas: Schemas, input: unknown, origin: Origin = "manifest"): Validation {
  const candidate = structuredClone(input);
  if (!isRecord(candidate)) return refused([errorAt([], "must be an object with apiVersion, kind, metadata and spec")]);
  const { kind } = candidate;
  const schema = typeof kind === "string" ? schemas.get(kind) : undefined;
  if (schema === undefined) return refused([unknownKind(candidate, schemas)]);
  schema.dropNulls(candidate);
  if (origin === "stored") Reflect.deleteProperty(candidate, "status");
  const unknown = origin === "stored" ? schema.dropUnknown(candidate) : [];
  const spec = candidate["spec"];
  const errors = [...envelopeFindings(candidate, schema), ...specFindings(spec, schema)];
  if (errors.length > 0) return refused(errors);
  const rules = [...schema.checkDuplicates(spec), ...schema.checkRules(candidate)];
  return rules.length > 0 ? refused(rules) : { ok: true, resource: toResource(candidate, unknown), warnings: [] };
}

/** Both checks leave exactly the shape of the generated types: that is what the types are generated from. */
function toResource(candidate: Record<string, unknown>, unknown: readonly FieldPath[]): AnyResource {
  const { apiVersion, kind, spec } = candidate;
  const metadata = readMetadata(candidate["metadata"] as Record<string, unknown>);
  return { apiVersion, kind, metadata, spec, ...(unknown.length === 0 ? {} : { unknownFields: unknown.map(fieldName) }) } as AnyResource;
}

function judged(resource: AnyResource): Validation {
  const findings = resourceFindings(resource);
  const errors = findings.filter(({ severity }) => severity === "error");
  const warnings = findings.filter(({ severity }) => severity === "warning");
  return errors.length > 0 ? { ok: false, errors, warnings } : { ok: true, resource, warnings };
}

function refused(errors: readonly Finding[]): Validation {
  return { ok: false, errors, warnings: [] };
}

function unknownKind(candidate: Record<string, unknown>, schemas: Schemas): Finding {
  const allowed = [...schemas.keys(), "Secret"];
  const { kind } = candidate;
  if (kind === undefined) return { ...errorAt(["kind"], `must be specified: one of ${allowed.join(", ")}`), allowed };
  const is = typeof kind === "string" ? `, but is ${JSON.stringify(kind.slice(0, 80))}` : "";
  return { ...errorAt(["kind"], `must be one of ${allowed.join(", ")}${is}`), allowed };
}

const ENVELOPE = ["apiVersion", "kind", "metadata", "spec", "status"];

function envelopeFindings(candidate: Record<string, unknown>, schema: KindSchema): Finding[] {
  const unknown = Object.keys(candidate).filter((name) => !ENVELOPE.includes(name));
  return [
    ...(candidate["apiVersion"] === schema.apiVersion ? [] : [{ ...errorAt(["apiVersion"], `must be ${schema.apiVersion}`), allowed: [schema.apiVersion] }]),
    ...unknown.map((name) => errorAt([name], `must not be present: unknown field; known are ${ENVELOPE.join(", ")}`)),
    ...metadataFindings(candidate["metadata"], schema.maxNameLength),
  ];
}

function specFindings(spec: unknown, schema: KindSchema): Finding[] {
  if (spec === undefined) return [errorAt(["spec"], "must be specified")];
  return isRecord(spec) ? schema.checkSpec(spec) : [errorAt(["spec"], "must be an object")];
}
