import { openApiDocument } from "../../src/ingress/openapi.ts";

/** The description of the HTTP API, made from the schemas that the handlers parse with. */
export function generate(): Promise<Record<string, string>> {
  return Promise.resolve({ "docs/openapi.json": `${JSON.stringify(openApiDocument(), null, 2)}\n` });
}
