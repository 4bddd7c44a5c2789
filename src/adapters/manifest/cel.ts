import { Environment } from "@marcbachmann/cel-js";
import { parseIpAddress } from "../../domain/ip-address.ts";
import { errorAt, type FieldPath, type Finding } from "../../domain/validate/finding.ts";
import { isRecord } from "../../shared/json.ts";
import { child, type CelRule, type StructuralSchema } from "./schema.ts";
import { steps } from "./structural.ts";

/** Runs every CEL rule of a schema on a value that satisfies it. */
export type CelCheck = (value: unknown) => Finding[];

interface Compiled {
  readonly evaluate: (self: unknown) => unknown;
  readonly rule: CelRule;
}

/**
 * Compiles the rules of `x-kubernetes-validations` once, so that the definition in crds/ stays their only source.
 * https://kubernetes.io/docs/reference/using-api/cel/
 * @throws Error when a rule is no CEL: a bug in crds/
 */
export function compileRules(schema: StructuralSchema, root: FieldPath): CelCheck {
  // Of Kubernetes' own libraries, that for addresses, as far as the rules use it: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-ip-address-library
  const environment = new Environment().registerVariable("self", "dyn").registerFunction("isIP(string): bool", isIp);
  const rules = new Map<StructuralSchema, readonly Compiled[]>();
  collect(schema, (holder, rule) => {
    const parsed = environment.parse(rule.rule);
    const evaluate = (self: unknown): unknown => parsed({ self });
    rules.set(holder, [...(rules.get(holder) ?? []), { rule, evaluate }]);
  });
  return (value) => check({ schema, value, path: root }, rules);
}

/** Kubernetes takes no IPv4 address that is written as IPv6. */
function isIp(text: string): boolean {
  const address = parseIpAddress(text);
  return address !== null && !(address.length === 16 && address.slice(0, 12).join() === IPV4_MAPPED);
}

/** ::ffff:0:0/96 (RFC 4291, section 2.5.5.2). */
const IPV4_MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255].join();

function collect(schema: StructuralSchema, add: (holder: StructuralSchema, rule: CelRule) => void): void {
  for (const rule of schema["x-kubernetes-validations"] ?? []) add(schema, rule);
  for (const inner of Object.values(schema.properties ?? {})) collect(inner, add);
  if (schema.items !== undefined) collect(schema.items, add);
  if (schema.additionalProperties !== undefined) collect(schema.additionalProperties, add);
}

interface Place {
  readonly schema: StructuralSchema;
  readonly value: unknown;
  readonly path: FieldPath;
}

function check({ schema, value, path }: Place, rules: ReadonlyMap<StructuralSchema, readonly Compiled[]>): Finding[] {
  const own = (rules.get(schema) ?? []).filter(({ evaluate }) => !holds(evaluate, toCel(value)));
  const findings = own.map(({ rule }) => errorAt([...path, ...(rule.fieldPath ?? "").split(".").filter(Boolean)], rule.message));
  const nested = steps(value).flatMap(([step, inner]) => {
    const next = child(schema, step);
    return next === undefined ? [] : check({ schema: next, value: inner, path: [...path, step] }, rules);
  });
  return [...findings, ...nested];
}

/** A rule that fails while it runs (a number of 20 digits, say) refuses the object, as in the API server. */
function holds(evaluate: (self: unknown) => unknown, self: unknown): boolean {
  try {
    return evaluate(self) === true;
  } catch {
    return false;
  }
}

/** CEL's int is a bigint to the library; a JavaScript number would be CEL's double. No schema of ours has fractions. */
function toCel(value: unknown): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toCel);
  return isRecord(value) ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, toCel(inner)])) : value;
}
