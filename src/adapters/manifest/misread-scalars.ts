import { isCollection, isMap, isScalar, type Node, type Pair, type Scalar } from "yaml";
import { errorAt, type FieldPath, type Finding } from "../../domain/validate/finding.ts";

/** As sigs.k8s.io/yaml has it, which kubectl, kustomize and Helm read with: of YAML 1.1 these, in these spellings alone. */
const BOOLEAN = /^(?:y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF)$/;

/**
 * What stands without quotes and is something else for kubectl than for YAML 1.2: an object would not be the same in a cluster.
 * No message holds a value: it may be a password.
 */
export function misreadScalars(node: unknown, path: FieldPath = []): Finding[] {
  if (isScalar(node)) {
    const advice = misread(node);
    return advice === undefined ? [] : [errorAt(path, `must be written ${advice}`)];
  }
  if (isMap(node)) return node.items.flatMap((pair) => misreadPair(pair as Pair<Node, Node | null>, path));
  return isCollection(node) ? node.items.flatMap((item, index) => misreadScalars(item, [...path, index])) : [];
}

function misreadPair({ key, value }: Pair<Node, Node | null>, path: FieldPath): Finding[] {
  const inside = [...path, isScalar(key) ? String(key.value) : String(key)];
  const isNameMisread = isScalar(key) && misread(key) !== undefined;
  return [...(isNameMisread ? [errorAt(inside, "must have its name in quotes: kubectl takes it for another one")] : []), ...misreadScalars(value, inside)];
}

function misread({ type, tag, source, value }: Scalar): string | undefined {
  if (type !== "PLAIN" || tag !== undefined || source === undefined) return undefined;
  if (BOOLEAN.test(source)) return "in quotes: kubectl takes it for a boolean";
  const number = numberOf(source);
  if (number === undefined || number === value) return undefined;
  return /^[-+]?0[0-7]+$/.test(source) ? "without the leading zero, or in quotes: kubectl takes it for octal" : "in quotes, or in decimal digits alone: kubectl takes it for a number";
}

/** Underscores don't count, and what begins with a zero is octal. */
function numberOf(source: string): number | undefined {
  if (!/^[-+.0-9]/.test(source)) return undefined;
  const [, sign = "", digits = ""] = /^([-+]?)(.*)$/s.exec(source.replaceAll("_", "")) ?? [];
  const size = sizeOf(digits);
  return size === undefined || sign !== "-" ? size : -size;
}

function sizeOf(digits: string): number | undefined {
  if (/^0[0-7]+$/.test(digits)) return Number.parseInt(digits, 8);
  const isNumber = /^(?:0x[0-9a-f]+|0b[01]+|0o[0-7]+)$/i.test(digits) || /^(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:e[-+]?[0-9]+)?$/i.test(digits);
  return isNumber ? Number(digits) : undefined;
}
