import { readCrds } from "../lib/crd-schema.ts";
import { typescriptOf } from "../lib/crd-typescript.ts";
import { referenceOf } from "../lib/crd-reference.ts";

/** The API's TypeScript types and reference page, from the definitions in crds/. */
export async function generate(): Promise<Record<string, string>> {
  const crds = await readCrds();
  return {
    "src/domain/api.generated.ts": typescriptOf(crds),
    "docs/api.md": referenceOf(crds),
  };
}
