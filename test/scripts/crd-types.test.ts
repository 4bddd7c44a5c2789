import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { generate } from "../../scripts/generators/crd-types.ts";
import { typescriptOf } from "../../scripts/lib/crd-typescript.ts";
import type { Crd, Schema } from "../../scripts/lib/crd-schema.ts";

function aCrd(spec: Schema): Crd {
  const root: Schema = { type: "object", title: "Thing", properties: { spec } };
  return {
    file: "thing.yaml",
    metadata: { name: "things.example" },
    spec: { group: "example", names: { kind: "Thing", plural: "things", shortNames: ["t"] }, versions: [{ name: "v1", schema: { openAPIV3Schema: root } }] },
  };
}

describe("what is generated from crds/", () => {
  it("is what is checked in", async () => {
    const files = Object.entries(await generate());
    expect(files.map(([path]) => path)).toContain("src/domain/api.generated.ts");
    for (const [path, content] of files) {
      expect(readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8")).toBe(content);
    }
  });

  it("makes what is required or defaulted a member for certain, the rest optional", () => {
    const spec: Schema = {
      type: "object",
      title: "ThingSpec",
      required: ["a"],
      properties: { a: { type: "string" }, b: { type: "integer", default: 1 }, c: { type: "string", enum: ["X", "Y"] }, d: { type: "array", items: { type: "string" } } },
    };
    expect(typescriptOf([aCrd(spec)])).toContain(
      'export interface ThingSpec {\n  readonly a: string;\n  readonly b: number;\n  readonly c?: "X" | "Y";\n  readonly d?: readonly string[];\n}\n',
    );
  });

  it("cannot be led out of a comment by a description", () => {
    expect(typescriptOf([aCrd({ type: "object", title: "ThingSpec", description: "a */ b", properties: {} })])).toContain("/** a * / b */");
  });

  it("refuses one title for two shapes", () => {
    const part = (name: string): Schema => ({ type: "object", title: "Part", properties: { [name]: { type: "string" } } });
    expect(() => typescriptOf([aCrd({ type: "object", title: "ThingSpec", properties: { a: part("x"), b: part("y") } })])).toThrow(/title Part stands for another shape/);
  });
});
