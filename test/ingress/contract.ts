import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { openApiDocument } from "../../src/ingress/openapi.ts";

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>> }>>>>;
}

export const description = openApiDocument() as Described;
const ajv = new Ajv2020({ strict: false, formats: { "date-time": /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ } });
ajv.addSchema(description, "api");
const compiled = new Map<string, ValidateFunction>();
/** Answers seen and checked, as `POST /v1/numbers 200`. */
export const seen = new Set<string>();

export interface SeenAnswer {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly contentType: string | null;
  readonly body: string;
}

/** Fails when an answer is not as docs/openapi.json describes it. Paths that are not described are nobody's business but the 404's. */
export function assertDescribed(answer: SeenAnswer): void {
  const { method, path, status } = answer;
  const operation = description.paths[path]?.[method.toLowerCase()];
  if (operation === undefined) return;
  const name = `${method} ${path} ${status}`;
  const response = operation.responses[status];
  if (response === undefined) throw new Error(`${name} is not described`);
  seen.add(name);
  const type = (answer.contentType ?? "").split(";")[0] ?? "";
  if (response.content === undefined) {
    if (answer.body !== "") throw new Error(`${name} is described without a body`);
    return;
  }
  if (!(type in response.content)) throw new Error(`${name} is ${type}, described as ${Object.keys(response.content).join(", ")}`);
  if (type.endsWith("json") && path !== "/openapi.json") assertBody(name, ["paths", path, method.toLowerCase(), "responses", String(status), "content", type, "schema"], answer.body);
}

function assertBody(name: string, pointer: readonly string[], body: string): void {
  const fragment = pointer.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/");
  const validate = compiled.get(fragment) ?? ajv.compile({ $ref: `api#/${fragment}` });
  compiled.set(fragment, validate);
  if (!validate(JSON.parse(body))) throw new Error(`${name} is not as described: ${ajv.errorsText(validate.errors)}: ${body.slice(0, 500)}`);
}
