import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { compileSchema } from "../../../src/adapters/manifest/json-schema.ts";
import type { StructuralSchema } from "../../../src/adapters/manifest/schema.ts";

interface Definition {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: { readonly plural: string; readonly kind: string; readonly shortNames: string[]; readonly categories: string[] };
    readonly versions: [
      {
        readonly name: string;
        readonly subresources: object;
        readonly additionalPrinterColumns: { readonly name: string; readonly priority?: number }[];
        readonly schema: { readonly openAPIV3Schema: StructuralSchema };
      },
    ];
  };
}

const directory = fileURLToPath(new URL("../../../crds/", import.meta.url));
const definitions = readdirSync(directory).map((file) => parse(readFileSync(`${directory}${file}`, "utf8")) as Definition);

interface Field {
  readonly path: string;
  readonly schema: StructuralSchema;
}

function fields(schema: StructuralSchema, path: string): Field[] {
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => fields(property, `${path}.${name}`));
  const items = schema.items === undefined ? [] : fields(schema.items, `${path}[]`);
  const values = schema.additionalProperties === undefined ? [] : fields(schema.additionalProperties, `${path}{}`);
  return [{ path, schema }, ...inner, ...items, ...values];
}

const all = definitions.flatMap(({ spec }) => fields(spec.versions[0].schema.openAPIV3Schema, spec.names.kind));
const without = (wanted: (field: Field) => boolean): string[] => all.filter((field) => !wanted(field)).map(({ path }) => path);

describe("the definitions in crds/", () => {
  it("are the three kinds of one group and version, namespaced, with a status subresource", () => {
    expect(definitions.map(({ metadata }) => metadata.name)).toEqual(["numberpools.dialplane.io", "routingrules.dialplane.io", "siptrunks.dialplane.io"]);
    for (const { metadata, spec } of definitions) {
      expect(metadata.name).toBe(`${spec.names.plural}.${spec.group}`);
      expect(spec).toMatchObject({ group: "dialplane.io", scope: "Namespaced", names: { categories: ["telephony"] } });
      expect(spec.versions).toHaveLength(1);
      expect(spec.versions[0]).toMatchObject({ name: "v1alpha1", subresources: { status: {} } });
    }
    expect(definitions.map(({ spec }) => spec.names.shortNames)).toEqual([["np"], ["rr"], ["trunk"]]);
  });

  it("print Ready first, Reason and Message on request only, Age last", () => {
    for (const { spec } of definitions) {
      const columns = spec.versions[0].additionalPrinterColumns;
      expect(columns.at(0)?.name).toBe("Ready");
      expect(columns.at(-1)?.name).toBe("Age");
      expect(columns.filter(({ priority }) => priority === 1).map(({ name }) => name)).toEqual(["Reason", "Message"]);
    }
  });

  it("describe every field in a sentence", () => {
    // The API server allows no description of `metadata` itself.
    const described = ({ path, schema }: Field): boolean => /^\w+\.metadata$/.test(path) || /^[A-Z].{8,}\.$/s.test(schema.description ?? "");
    expect(without(described)).toEqual([]);
  });

  it("tell the default in the description of every field that has one value as default", () => {
    const scalar = all.filter(({ schema }) => schema["default"] !== undefined && schema.type !== "object" && schema.type !== "array");
    expect(scalar.length).toBeGreaterThan(15);
    expect(scalar.filter(({ schema }) => !/default/i.test(schema.description ?? "")).map(({ path }) => path)).toEqual([]);
    expect(scalar.filter(({ schema }) => !schema.description?.includes(String(schema["default"]))).map(({ path }) => path)).toEqual([]);
  });

  it("bound every string by an enum or a length", () => {
    expect(without(({ schema }) => schema.type !== "string" || schema["enum"] !== undefined || schema["maxLength"] !== undefined)).toEqual([]);
  });

  it("give an example for every pattern, which it matches within its length", () => {
    const patterns = all.filter(({ schema }) => schema["pattern"] !== undefined);
    expect(patterns.length).toBeGreaterThan(20);
    for (const { path, schema } of patterns) {
      const example = schema.example ?? "";
      expect(`${path}: ${new RegExp(String(schema["pattern"])).test(example) ? "matches" : example}`).toBe(`${path}: matches`);
      expect(example.length).toBeLessThanOrEqual(Number(schema["maxLength"]));
    }
  });

  it("bound every integer on both sides and write it as int32 or int64", () => {
    const bounded = ({ schema }: Field): boolean =>
      schema.type !== "integer" || (typeof schema["minimum"] === "number" && typeof schema["maximum"] === "number" && /^int(32|64)$/.test(String(schema["format"])));
    expect(without(bounded)).toEqual([]);
  });

  it("use nothing but objects, lists, strings and integers", () => {
    expect(without(({ schema }) => ["object", "array", "string", "integer"].includes(schema.type))).toEqual([]);
  });

  it("bound every list and say how it merges", () => {
    expect(without(({ schema }) => schema.type !== "array" || (schema["maxItems"] !== undefined && schema["x-kubernetes-list-type"] !== undefined))).toEqual([]);
  });

  it("bound every map", () => {
    expect(without(({ schema }) => schema.additionalProperties === undefined || schema["maxProperties"] !== undefined)).toEqual([]);
  });

  it("require the keys of every list-map", () => {
    const keyed = ({ schema }: Field): boolean =>
      (schema["x-kubernetes-list-map-keys"] ?? []).every((key) => (schema.items?.["required"] as string[]).includes(key));
    expect(without(keyed)).toEqual([]);
  });

  it("give defaults to optional fields only", () => {
    const fine = ({ schema }: Field): boolean =>
      ((schema["required"] ?? []) as string[]).every((name) => schema.properties?.[name]?.["default"] === undefined);
    expect(without(fine)).toEqual([]);
  });

  it("write defaults of objects out in full, so that server and readers see the same", () => {
    const defaulted = all.filter(({ schema: { type, default: value } }) => type === "object" && value !== undefined);
    expect(defaulted.map(({ path }) => path)).toContain("NumberPool.spec.assignment");
    for (const { path, schema } of defaulted) {
      const value = structuredClone(schema["default"]) as object;
      expect(compileSchema(schema, [path])(value)).toEqual([]);
      expect(value).toEqual(schema["default"]);
      const empty = {};
      compileSchema(schema, [path])(empty);
      expect(empty).toEqual(schema["default"]);
    }
  });

  it("word rules as what must or may not be", () => {
    const rules = all.flatMap(({ schema }) => schema["x-kubernetes-validations"] ?? []);
    expect(rules.length).toBeGreaterThan(10);
    expect(rules.filter(({ message }) => !/^(must|may not) /.test(message))).toEqual([]);
  });

  it("name condition lists by type and references by name", () => {
    const named = (ending: RegExp) => all.filter(({ path }) => ending.test(path));
    expect(named(/^\w+\.status\.conditions$/)).toHaveLength(definitions.length);
    for (const { schema } of named(/\.conditions$/)) expect(schema["x-kubernetes-list-map-keys"]).toEqual(["type"]);
    expect(new Set(named(/Ref$/).map(({ path }) => path.split(".").at(-1)))).toEqual(new Set(["trunkRef", "secretRef", "poolRef"]));
    for (const { schema } of named(/Ref$/)) expect(Object.keys(schema.properties ?? {})).toEqual(["name"]);
  });
});
