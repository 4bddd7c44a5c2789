import { rootSchema, type Crd, type Schema } from "./crd-schema.ts";

/** Prints the reference page from the descriptions of the schemas. */
export function referenceOf(crds: readonly Crd[]): string {
  return `<!-- DO NOT EDIT. Generated from crds/ by scripts/generators/crd-types.ts: npm run generate -->
# API reference: dialplane.io/v1alpha1

${crds.map((crd) => `- [${crd.spec.names.kind}](#${crd.spec.names.kind.toLowerCase()}): \`kubectl get ${crd.spec.names.shortNames.join(", ")}\``).join("\n")}

Every field that is not marked as required may be left out. Unknown fields are errors. \`[]\` after a name stands for each element of a list.
Fields of \`status\` are written by Dialplane only.

${crds.map(kindSection).join("\n")}`;
}

function kindSection(crd: Crd): string {
  const root = rootSchema(crd);
  const { spec, status } = root.properties ?? {};
  if (spec === undefined || status === undefined) throw new Error(`${crd.file} must have spec and status`);
  return `## ${crd.spec.names.kind}

${root.description ?? ""}

${rules(root, crd.spec.names.kind)}### ${crd.spec.names.kind} spec

${table(spec, "spec")}
### ${crd.spec.names.kind} status

${table(status, "status")}`;
}

function table(schema: Schema, path: string): string {
  return `| Field | Type and limits | Meaning |\n|---|---|---|\n${rows(schema, path).join("\n")}\n${rules(schema, path)}`;
}

function rows(schema: Schema, path: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const required = (schema.required ?? []).includes(name);
    const at = `${path}.${name}`;
    return [row(at, property, required), ...nested(property, at)];
  });
}

function nested(schema: Schema, path: string): string[] {
  if (schema.type === "object") return rows(schema, path);
  if (schema.items === undefined) return [];
  return schema.items.type === "object" ? rows(schema.items, `${path}[]`) : [row(`${path}[]`, schema.items, false)];
}

function row(path: string, schema: Schema, required: boolean): string {
  const facts = [typeName(schema), ...limits(schema), ...(required ? ["**required**"] : []), ...defaultOf(schema)];
  return `| \`${path}\` | ${facts.join("; ")} | ${cell(meaning(schema))} |`;
}

function meaning(schema: Schema): string {
  const own = schema["x-kubernetes-validations"] ?? [];
  return [schema.description ?? "", ...own.map(({ message, fieldPath }) => `Rule: ${fieldPath === undefined ? "it" : `\`${fieldPath.slice(1)}\``} ${message}.`)].join(" ");
}

function typeName(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (schema.additionalProperties !== undefined) return "map of strings";
  if (schema.items !== undefined) return `list of ${schema.items.type}s`;
  return schema.type;
}

function limits(schema: Schema): string[] {
  const facts: string[] = [];
  if (schema.pattern !== undefined) facts.push(`pattern \`${schema.pattern.replaceAll("|", "\\|")}\``);
  if (schema.format !== undefined && schema.type === "string") facts.push(`format ${schema.format}`);
  facts.push(...span(schema.minimum, schema.maximum, ""));
  facts.push(...span(schema.minLength, schema.maxLength, " characters"));
  facts.push(...span(schema.minItems, schema.maxItems, " elements"));
  if (schema["x-kubernetes-list-type"] === "set") facts.push("no duplicates");
  const keys = schema["x-kubernetes-list-map-keys"];
  if (keys !== undefined) facts.push(`unique by \`${keys.join(", ")}\``);
  if (schema.example !== undefined) facts.push(`for example \`${schema.example}\``);
  return facts;
}

function span(from: number | undefined, to: number | undefined, unit: string): string[] {
  if (to === undefined) return [];
  return from === undefined ? [`up to ${to}${unit}`] : [`${from} to ${to}${unit}`];
}

function defaultOf(schema: Schema): string[] {
  if (schema.default === undefined || schema.type === "object") return [];
  return [`default \`${Array.isArray(schema.default) ? schema.default.join(", ") : JSON.stringify(schema.default).replaceAll('"', "")}\``];
}

function rules(schema: Schema, path: string): string {
  const own = schema["x-kubernetes-validations"] ?? [];
  if (own.length === 0) return "";
  return `${own.map(({ message, fieldPath }) => `- \`${path}${fieldPath ?? ""}\` ${message}.`).join("\n")}\n\n`;
}

function cell(text: string): string {
  return text.trim().replaceAll("|", "\\|").replace(/\s+/g, " ");
}
