import { errorAt, type FieldPath, type Finding } from "../../domain/validate/finding.ts";
import { isRecord } from "../../shared/json.ts";
import { child, type StructuralSchema } from "./schema.ts";

/**
 * Takes out null values, as the API server does for fields that are not `nullable` (none of ours is), so that
 * `priority:` with nothing behind it gets the default. Fields that the schema does not know stay, to be refused.
 * https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting-and-nullable
 */
export function dropNulls(schema: StructuralSchema, value: unknown): void {
  for (const [step, inner] of steps(value)) {
    const next = child(schema, step);
    if (next === undefined) continue;
    if (inner !== null) dropNulls(next, inner);
    else if (isRecord(value)) Reflect.deleteProperty(value, step);
  }
}

/**
 * Takes out fields that the schema does not know, as an API server does with its own (pruning), and answers which. What is inside one is not
 * looked at.
 */
export function dropUnknown(schema: StructuralSchema, value: unknown, path: FieldPath): FieldPath[] {
  return steps(value).flatMap(([step, inner]) => {
    const next = child(schema, step);
    if (next !== undefined) return next.type === "object" || next.type === "array" ? dropUnknown(next, inner, [...path, step]) : [];
    if (!isRecord(value)) return [];
    Reflect.deleteProperty(value, step);
    return [[...path, step]];
  });
}

/** Duplicates in lists of `x-kubernetes-list-type` set and map. The value must satisfy the schema. */
export function duplicateFindings(schema: StructuralSchema, value: unknown, path: FieldPath): Finding[] {
  const own = Array.isArray(value) ? duplicatesOf(schema, value, path) : [];
  return [...own, ...steps(value).flatMap(([step, inner]) => inChild(schema, step, (next) => duplicateFindings(next, inner, [...path, step])))];
}

function inChild(schema: StructuralSchema, step: string | number, then: (next: StructuralSchema) => Finding[]): Finding[] {
  const next = child(schema, step);
  // Lists of strings are the long ones, and nothing is inside a string.
  return next === undefined || (next.type !== "object" && next.type !== "array") ? [] : then(next);
}

function duplicatesOf(schema: StructuralSchema, list: readonly unknown[], path: FieldPath): Finding[] {
  const keys = schema["x-kubernetes-list-map-keys"];
  const type = schema["x-kubernetes-list-type"];
  if (type !== "set" && type !== "map") return [];
  const first = new Map<string, number>();
  return list.flatMap((element, index) => {
    const id = JSON.stringify(keys === undefined || !isRecord(element) ? element : keys.map((key) => element[key]));
    const earlier = first.get(id);
    if (earlier === undefined) {
      first.set(id, index);
      return [];
    }
    const what = keys === undefined ? "must be unique" : `must have a unique ${keys.join(", ")}`;
    return [errorAt([...path, index], `${what}, but is the same as in [${earlier}]`)];
  });
}

/** What a value holds, by name or position. */
export function steps(value: unknown): [string | number, unknown][] {
  if (Array.isArray(value)) return value.map((element: unknown, index) => [index, element]);
  return isRecord(value) ? Object.entries(value) : [];
}
