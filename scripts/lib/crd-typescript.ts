import { rootSchema, type Crd, type Schema } from "./crd-schema.ts";

const WIDTH = 116;

interface Named {
  readonly body: string;
  doc: string | undefined;
}

/**
 * Prints the types of specs and statuses as they are AFTER defaulting: a property with a default is never optional.
 * A schema's `title` is its type's name; one title stands for one shape everywhere.
 */
export function typescriptOf(crds: readonly Crd[]): string {
  const types = new Map<string, Named>();
  for (const crd of crds) {
    const { spec, status } = rootSchema(crd).properties ?? {};
    for (const schema of [spec, status]) if (schema !== undefined) typeOf(schema, types, crd.file);
  }
  const printed = [...types].map(([name, { body, doc }]) => `${comment(doc, "")}${print(name, body)}`);
  return [HEADER, ...printed].join("\n");
}

const HEADER = `// DO NOT EDIT. Generated from crds/ by scripts/generators/crd-types.ts: npm run generate
// Types of defaulted objects: what has a default in the schema is always there.
`;

function print(name: string, body: string): string {
  return body.startsWith("{") ? `export interface ${name} ${body}\n` : `export type ${name} = ${body};\n`;
}

function typeOf(schema: Schema, types: Map<string, Named>, where: string): string {
  if (schema.type === "array") {
    if (schema.items === undefined) throw new Error(`${where}: an array must have items`);
    const items = typeOf(schema.items, types, `${where}[]`);
    return `readonly ${items.includes(" | ") ? `(${items})` : items}[]`;
  }
  if (schema.type === "integer") return "number";
  if (schema.type === "string") return schema.enum === undefined ? "string" : enumType(schema, schema.enum, types, where);
  return objectType(schema, types, where);
}

function enumType(schema: Schema, values: readonly string[], types: Map<string, Named>, where: string): string {
  const body = values.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.title === undefined) return body;
  return register(schema.title, { body, doc: undefined }, types, where);
}

function objectType(schema: Schema, types: Map<string, Named>, where: string): string {
  if (schema.additionalProperties !== undefined) {
    return `Readonly<Record<string, ${typeOf(schema.additionalProperties, types, `${where}{}`)}>>`;
  }
  if (schema.title === undefined) throw new Error(`${where}: an object must have a title, the name of its type`);
  // Placed before its members, so that a reader meets the whole before the parts.
  const place = types.has(schema.title) ? undefined : schema.title;
  if (place !== undefined) types.set(place, { body: "", doc: schema.description });
  const body = `{\n${Object.entries(schema.properties ?? {})
    .map(([name, property]) => member(schema, name, { property, type: typeOf(property, types, `${where}.${name}`) }))
    .join("")}}`;
  if (place !== undefined) types.set(place, { body, doc: schema.description });
  return register(schema.title, { body, doc: schema.description }, types, where);
}

function member(parent: Schema, name: string, { property, type }: { property: Schema; type: string }): string {
  const always = property.default !== undefined || (parent.required ?? []).includes(name);
  return `${comment(property.description, "  ")}  readonly ${name}${always ? "" : "?"}: ${type};\n`;
}

function register(title: string, named: Named, types: Map<string, Named>, where: string): string {
  const known = types.get(title);
  if (known === undefined) types.set(title, named);
  else if (known.body !== named.body && shape(known.body) !== shape(named.body)) {
    throw new Error(`${where}: the title ${title} stands for another shape elsewhere`);
  } else if (known.doc !== named.doc) known.doc = undefined;
  return title;
}

/** The same shape may be described in other words where it is used for something else. */
function shape(body: string): string {
  return body.replace(/\/\*\*[\s\S]*?\*\//g, "").replace(/\s+/g, " ");
}

function comment(text: string | undefined, indent: string): string {
  if (text === undefined) return "";
  const lines = wrapText(text.replaceAll("*/", "* /"), WIDTH - indent.length);
  if (lines.length === 1) return `${indent}/** ${lines.join("")} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join("")}${indent} */\n`;
}

function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.trim().split(/\s+/)) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length + 1 > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
