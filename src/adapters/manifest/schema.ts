/** The part of a structural schema (Kubernetes apiextensions v1) that validation reads. */
export interface StructuralSchema {
  readonly type: "object" | "array" | "string" | "integer";
  readonly description?: string;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: StructuralSchema;
  readonly items?: StructuralSchema;
  readonly example?: string;
  readonly "x-kubernetes-list-type"?: "atomic" | "set" | "map";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-validations"?: readonly CelRule[];
  /** Keywords that are handed to the JSON-schema library as they are. */
  readonly [keyword: string]: unknown;
}

/** One rule of `x-kubernetes-validations`. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
  /** Relative to the schema that holds the rule: `.to`. */
  readonly fieldPath?: string;
}

/** The schema of what a step of a path leads to; undefined for a name that it does not know. */
export function child(schema: StructuralSchema | undefined, step: string | number): StructuralSchema | undefined {
  if (schema === undefined) return undefined;
  if (typeof step === "number") return schema.items;
  const { properties } = schema;
  return properties !== undefined && Object.hasOwn(properties, step) ? properties[step] : schema.additionalProperties;
}
