/** JSON Schemas (2020-12) of what ingress answers; what it takes comes from the schemas that the handlers parse with. */

const token = (what: string) => ({ type: "string", pattern: "^v1\\.[A-Za-z0-9_-]{44}$", description: `${what} Opaque; keep it and send it with the next request.` });
const visitor = token("The persistent unique identifier of the visitor.");
const device = token("The identifier of this browser or app.");
const orNull = (schema: object) => ({ anyOf: [schema, { type: "null" }] });

const elementProperties = {
  pool: { type: "string", description: "The NumberPool asked for, as namespace/name." },
  mediaElement: { type: "string" },
  status: {
    type: "string",
    enum: ["assigned", "overflow", "unchanged"],
    description: "assigned: the number is this visitor's alone; overflow: a shared number; unchanged: the page keeps its own number.",
  },
  number: orNull({ type: "string", pattern: "^\\+[1-9][0-9]{6,14}$", description: "E.164." }),
  display: orNull({ type: "string", description: "The number as the pool wants it written." }),
  tel: orNull({ type: "string", pattern: "^tel:\\+[0-9]+$", description: "For links (RFC 3966)." }),
  expiresAt: orNull({ type: "string", format: "date-time", description: "The number is this visitor's alone at least until then." }),
  reason: { type: "string", enum: ["Exhausted", "UnknownPool", "Crawler", "ConsentRequired"], description: "Why the page keeps its own number. None is an error." },
};
const elementRequired = ["pool", "mediaElement", "status", "number", "display", "tel", "expiresAt"];

export const answerSchemas = {
  Element: { type: "object", required: elementRequired, properties: elementProperties, additionalProperties: false },
  SingleAnswer: {
    type: "object",
    description: "The answer to one element.",
    required: [...elementRequired, "visitor", "device"],
    properties: { ...elementProperties, visitor: orNull(visitor), device: orNull(device) },
    additionalProperties: false,
  },
  BatchAnswer: {
    type: "object",
    description: "The answer to several elements, in their order.",
    required: ["elements", "visitor", "device"],
    properties: { elements: { type: "array", items: { $ref: "#/components/schemas/Element" } }, visitor: orNull(visitor), device: orNull(device) },
    additionalProperties: false,
  },
  Identity: {
    type: "object",
    description: "Who the device belongs to from now on.",
    required: ["visitor", "device"],
    properties: { visitor, device, merged: { type: "boolean", description: "Whether two prospects became one." } },
    additionalProperties: false,
  },
  Problem: {
    type: "object",
    description: "RFC 9457. `field` is the first field at fault, `errors` are all of them.",
    required: ["title", "status", "detail"],
    properties: {
      title: { type: "string" },
      status: { type: "integer", minimum: 400, maximum: 599 },
      detail: { type: "string" },
      field: { type: "string" },
      errors: {
        type: "array",
        minItems: 1,
        items: {
          type: "object",
          required: ["field", "message"],
          properties: { field: { type: "string", description: "Path of the field, as elements[1].pool" }, message: { type: "string", description: "What is allowed." } },
          additionalProperties: false,
        },
      },
    },
    additionalProperties: false,
  },
  Alive: { type: "object", required: ["alive"], properties: { alive: { const: true } } },
  Readiness: {
    type: "object",
    required: ["ready", "parts"],
    properties: {
      ready: { type: "boolean" },
      parts: {
        type: "object",
        additionalProperties: { type: "object", required: ["ready", "reason"], properties: { ready: { type: "boolean" }, reason: { type: "string" } } },
      },
    },
  },
} as const;
