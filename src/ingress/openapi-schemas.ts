import { E164_FORM } from "../domain/e164.ts";
import { ATTRIBUTIONS, LEG_RESULTS } from "../domain/types.ts";

/** JSON Schemas (2020-12) of what ingress answers; what it takes comes from the schemas that the handlers parse with. */

const token = (what: string) => ({ type: "string", pattern: "^v1\\.[A-Za-z0-9_-]{44}$", description: `${what} Opaque; keep it and send it with the next request.` });
const visitor = token("The persistent unique identifier of the visitor.");
const device = token("The identifier of this browser or app.");
const orNull = (schema: object) => ({ anyOf: [schema, { type: "null" }] });

const text = { type: "string" };
const textOrNull = orNull(text);
const e164 = { type: "string", pattern: E164_FORM.source, description: "E.164." };
const time = { type: "string", format: "date-time" };
const timeOrNull = orNull(time);
const count = { type: "integer", minimum: 0 };
const cause = orNull({ type: "integer", minimum: 0, maximum: 127, description: "ITU-T Q.850." });

/** An object all of whose fields are always there. */
const whole = (properties: Readonly<Record<string, object>>, description?: string) => ({
  type: "object",
  required: Object.keys(properties),
  properties,
  additionalProperties: false,
  ...(description === undefined ? {} : { description }),
});

const call = whole(
  {
    id: text,
    pod: { ...text, description: "Which Asterisk carried it." },
    did: { ...text, description: "The number that was called, E.164." },
    pool: text,
    caller: orNull({ ...text, description: "E.164; null when withheld; masked for a token that may not read callers." }),
    receivedAt: time,
    answeredAt: timeOrNull,
    bridgedAt: timeOrNull,
    endedAt: orNull({ ...time, description: "null: in progress." }),
    end: textOrNull,
    hangupCause: cause,
    attribution: { ...text, enum: ATTRIBUTIONS, description: "How sure it is who called." },
    prospect: orNull({ ...text, description: "Whom the call is attributed to." }),
    mediaElement: textOrNull,
    attributes: { type: "object", additionalProperties: text },
    rule: orNull({ ...text, description: "The rule that decided; null for the pool's default destination." }),
    answeredBy: textOrNull,
    bridge: textOrNull,
    legs: {
      type: "array",
      description: "Every attempt to reach a destination.",
      items: whole({
        channel: text, destination: text, trunk: text, startedAt: time, answeredAt: timeOrNull, endedAt: timeOrNull, hangupCause: cause,
        result: { ...text, enum: LEG_RESULTS },
      }),
    },
    why: { type: "array", description: "What the rules said, and what else decided what became of the call. docs/call-reasons.md has the reasons; records of other versions may have others.", items: whole({ rule: textOrNull, matched: { type: "boolean" }, reason: text, message: text }) },
  },
  "One call as far as it is known.",
);

const elementProperties = {
  pool: { type: "string", description: "The NumberPool asked for, as namespace/name." },
  mediaElement: { type: "string" },
  status: {
    type: "string",
    enum: ["assigned", "overflow", "unchanged"],
    description: "assigned: the number is this visitor's alone; overflow: a shared number; unchanged: the page keeps its own number.",
  },
  number: orNull(e164),
  display: orNull({ type: "string", description: "The number as the pool wants it written." }),
  tel: orNull({ type: "string", pattern: "^tel:\\+[0-9]+$", description: "For links (RFC 3966)." }),
  expiresAt: orNull({ type: "string", format: "date-time", description: "The number is this visitor's alone at least until then." }),
  expiresIn: { type: "integer", minimum: 0, description: "Milliseconds from the answer after which it holds no more and is to be asked for again. Of a number that is this visitor's alone: until expiresAt, for clients whose clock may be wrong. Of a shared number: a lease of its pool; later it may be somebody's own. With Exhausted and TooManyNewVisitors: a while, in which a number may become free. Absent where nothing changes by itself." },
  reason: { type: "string", enum: ["Exhausted", "UnknownPool", "Crawler", "ConsentRequired", "TooManyNewVisitors", "Released"], description: "Why the page keeps its own number. None is an error. UnknownPool: another pool of the request is known. ConsentRequired: the pool requires a consent and none was said, or it was denied. TooManyNewVisitors: no device token came, and the address has brought as many new visitors as it may for now. Released comes by the stream only." },
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
  AmpAnswer: {
    type: "object",
    description: "As amp-call-tracking takes it; empty when the page keeps its own number.",
    properties: {
      phoneNumber: e164,
      formattedPhoneNumber: { type: "string", description: "The number as the pool wants it written." },
    },
    additionalProperties: false,
  },
  Identity: {
    type: "object",
    description: "Who the device belongs to from now on; null where nobody is remembered, for want of a consent.",
    required: ["visitor", "device"],
    properties: { visitor: orNull(visitor), device: orNull(device), merged: { type: "boolean", description: "Whether two prospects became one." } },
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
  Call: call,
  CallPage: whole({
    calls: { type: "array", items: { $ref: "#/components/schemas/Call" } },
    next: orNull({ ...text, description: "Give it as `after` for the next page; null on the last." }),
  }),
  Pools: whole({
    countedAt: { ...time, description: "When the numbers were counted, at most ten seconds ago." },
    pools: {
      type: "array",
      items: whole({
        pool: text,
        numbers: orNull(whole({ total: count, leased: count, coolingDown: count, available: count, retiring: count, utilizationPercent: count })),
        liveCalls: count,
      }),
    },
  }),
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
