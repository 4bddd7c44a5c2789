import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { ROOT } from "./paths.mjs";

/** The part of a structural schema that the generators read. */
export interface Schema {
  readonly type: "object" | "array" | "string" | "integer";
  readonly title?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly example?: string;
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-validations"?: readonly { readonly rule: string; readonly message: string; readonly fieldPath?: string }[];
}

export interface Crd {
  readonly file: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string; readonly plural: string; readonly shortNames: readonly string[] };
    readonly versions: readonly [{ readonly name: string; readonly schema: { readonly openAPIV3Schema: Schema } }];
  };
}

/** In the order in which a newcomer meets them. */
const FILES = ["numberpool.yaml", "routingrule.yaml", "siptrunk.yaml"];

/** Reads the definitions of crds/. */
export function readCrds(): Promise<Crd[]> {
  return Promise.all(
    FILES.map(async (file) => ({ file, ...(parse(await readFile(join(ROOT, "crds", file), "utf8")) as Omit<Crd, "file">) })),
  );
}

export function rootSchema(crd: Crd): Schema {
  return crd.spec.versions[0].schema.openAPIV3Schema;
}
