import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { compileRules, type CelCheck } from "./cel.ts";
import { compileSchema, type SchemaCheck } from "./json-schema.ts";
import type { StructuralSchema } from "./schema.ts";
import { OBJECT_META } from "./metadata.ts";
import { dropNulls, dropUnknown, duplicateFindings } from "./structural.ts";
import type { FieldPath, Finding } from "../../domain/validate/finding.ts";

/** The compiled checks of one kind. */
export interface KindSchema {
  readonly kind: string;
  readonly apiVersion: string;
  readonly maxNameLength: number;
  /** Of the whole object; changes it. */
  readonly dropNulls: (object: unknown) => void;
  /** Of the whole object; changes it, and answers what it took out. */
  readonly dropUnknown: (object: unknown) => readonly FieldPath[];
  /** Of `spec`; sets its defaults. */
  readonly checkSpec: SchemaCheck;
  readonly checkDuplicates: (spec: unknown) => Finding[];
  /** Rules of the whole object and of everything in `spec`. */
  readonly checkRules: CelCheck;
}

export type Schemas = ReadonlyMap<string, KindSchema>;

const CRDS = fileURLToPath(new URL("../../../crds/", import.meta.url));

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly [{ readonly name: string; readonly schema: { readonly openAPIV3Schema: StructuralSchema } }];
  };
}

/** Reads and compiles the definitions of crds/, the one source of the API. Takes some tens of milliseconds: once a process. */
export async function loadSchemas(directory: string = CRDS): Promise<Schemas> {
  const files = (await readdir(directory)).filter((name) => name.endsWith(".yaml")).sort();
  const kinds = await Promise.all(files.map(async (file) => compileKind(parse(await readFile(join(directory, file), "utf8")) as Definition)));
  return new Map(kinds.map((kind) => [kind.kind, kind]));
}

function compileKind({ spec: { group, names, versions } }: Definition): KindSchema {
  const [version] = versions;
  const root = version.schema.openAPIV3Schema;
  const spec = root.properties?.["spec"];
  if (spec === undefined) throw new Error(`the definition of ${names.kind} must have a schema for spec`);
  const whole = { ...root, properties: { ...root.properties, metadata: OBJECT_META } };
  return {
    kind: names.kind,
    apiVersion: `${group}/${version.name}`,
    maxNameLength: Number(root.properties?.["metadata"]?.properties?.["name"]?.["maxLength"] ?? 253),
    dropNulls: (object) => dropNulls(whole, object),
    dropUnknown: (object) => dropUnknown(whole, object, []),
    checkSpec: compileSchema(spec, ["spec"]),
    checkDuplicates: (value) => duplicateFindings(spec, value, ["spec"]),
    checkRules: compileRules({ ...root, properties: { spec } }, []),
  };
}
