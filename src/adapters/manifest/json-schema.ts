import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { errorAt, type FieldPath, type Finding } from "../../domain/validate/finding.ts";
import { isRecord } from "../../shared/json.ts";
import { FORMATS } from "./formats.ts";
import type { StructuralSchema } from "./schema.ts";

/** Sets defaults in `value` and answers what the schema refuses. */
export type SchemaCheck = (value: object) => Finding[];

/**
 * Compiles the schema of `spec` for strict field validation, as `kubectl apply` asks for it:
 * unknown fields are errors, missing fields get their defaults.
 */
export function compileSchema(schema: StructuralSchema, root: FieldPath): SchemaCheck {
  const ajv = new Ajv({ allErrors: true, verbose: true, useDefaults: true, strict: false });
  for (const [name, { holds }] of Object.entries(FORMATS)) ajv.addFormat(name, holds);
  for (const width of ["int32", "int64"]) ajv.addFormat(width, true); // limits are explicit in every schema
  const validate: ValidateFunction = ajv.compile(toJsonSchema(schema));
  return (value) => {
    if (validate(value)) return [];
    const errors = [...(validate.errors ?? [])].sort((a, b) => rank(a) - rank(b));
    return firstPerField(errors.map((error) => findingOf(error, [...root, ...pathOf(error.instancePath, value)])));
  };
}

/** Of several faults of one value, the type says most; a length says little where the pattern says what is wanted. */
function rank(error: ErrorObject): number {
  const order = ["type", "enum", "pattern", "format"].indexOf(error.keyword);
  return order === -1 ? 9 : order;
}

function firstPerField(findings: readonly Finding[]): Finding[] {
  const byField = new Map<string, Finding>();
  for (const finding of findings) {
    const field = JSON.stringify(finding.path);
    if (!byField.has(field)) byField.set(field, finding);
  }
  return [...byField.values()];
}

/** Structural schemas allow unknown fields silently (the API server prunes them); strict validation does not. */
function toJsonSchema(schema: StructuralSchema): object {
  const keywords = Object.entries(schema).filter(([name]) => !name.startsWith("x-kubernetes-") && !NESTED.has(name));
  return {
    ...Object.fromEntries(keywords),
    ...(schema.properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(schema.properties).map(([name, inner]) => [name, toJsonSchema(inner)])) }),
    ...(schema.type === "object"
      ? { additionalProperties: schema.additionalProperties === undefined ? false : toJsonSchema(schema.additionalProperties) }
      : {}),
    ...(schema.items === undefined ? {} : { items: toJsonSchema(schema.items) }),
  };
}

const NESTED = new Set(["properties", "additionalProperties", "items"]);

/** JSON pointer (RFC 6901) to field path; the value tells a list's position from a map's key of digits. */
function pathOf(pointer: string, value: unknown): FieldPath {
  let at = value;
  return pointer
    .split("/")
    .slice(1)
    .map((part) => {
      const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
      const step = Array.isArray(at) ? Number(name) : name;
      at = isRecord(at) ? at[name] : Array.isArray(at) ? (at[Number(name)] as unknown) : undefined;
      return step;
    });
}

type Params = Readonly<Record<string, unknown>>;

function findingOf(error: ErrorObject, path: FieldPath): Finding {
  const params = error.params as Params;
  const schema = (error.parentSchema ?? {}) as StructuralSchema;
  if (error.keyword === "required") return errorAt([...path, String(params["missingProperty"])], "must be specified");
  if (error.keyword === "additionalProperties") return unknownField([...path, String(params["additionalProperty"])], schema);
  if (error.keyword === "enum") return oneOf(path, params["allowedValues"] as readonly string[], error.data);
  return errorAt(path, messageOf(error.keyword, { params, schema, data: error.data }));
}

function unknownField(path: FieldPath, schema: StructuralSchema): Finding {
  const allowed = Object.keys(schema.properties ?? {});
  return { ...errorAt(path, `must not be present: unknown field; known are ${allowed.join(", ")}`), allowed };
}

function oneOf(path: FieldPath, allowed: readonly string[], data: unknown): Finding {
  return { ...errorAt(path, `must be one of ${allowed.join(", ")}${found(data)}`), allowed };
}

interface Context {
  readonly params: Params;
  readonly schema: StructuralSchema;
  readonly data: unknown;
}

function messageOf(keyword: string, context: Context): string {
  const { schema, data } = context;
  switch (keyword) {
    case "type":
      return typeMessage(schema, data);
    case "pattern":
      return `must match ${String(schema["pattern"])}${schema.example === undefined ? "" : `, for example ${schema.example}`}${found(data)}`;
    case "format":
      return `${FORMATS[String(schema["format"])]?.message ?? "must have its format"}${found(data)}`;
    case "minimum":
    case "maximum":
      return `must be from ${String(schema["minimum"])} to ${String(schema["maximum"])}${found(data)}`;
    default:
      return countMessage(keyword, context.params["limit"]);
  }
}

const COUNTED: Readonly<Record<string, string>> = { Length: "characters", Items: "elements", Properties: "entries" };

function countMessage(keyword: string, limit: unknown): string {
  const unit = COUNTED[keyword.slice(3)];
  if (unit === undefined) return `must satisfy ${keyword}`;
  return `must have ${keyword.startsWith("min") ? "at least" : "at most"} ${String(limit)} ${unit}`;
}

const TYPES = { object: "an object", array: "a list", string: "a string", integer: "a whole number" };

function typeMessage(schema: StructuralSchema, data: unknown): string {
  const quotes = schema.type === "string" && (typeof data === "number" || typeof data === "boolean");
  const example = schema.example === undefined ? "" : `, as in "${schema.example}"`;
  return `must be ${TYPES[schema.type]}${quotes ? `: write it in quotes${example}` : found(data)}`;
}

/** What stood there, cut to what a line can bear; control characters come out escaped. */
function found(data: unknown): string {
  if (data === null || data === undefined || typeof data === "object") return data === null ? ", but is empty" : "";
  const text = JSON.stringify(data);
  return `, but is ${text.length > 80 ? `${text.slice(0, 80)}...` : text}`;
}
