import { z } from "zod";
import { parseE164 } from "../domain/e164.ts";
import { maxPersonTokenLength, siteForm } from "../domain/person-token.ts";
import type { E164 } from "../domain/types.ts";
import { HttpProblem } from "./problem.ts";

/** What clients may send, with limits on everything. Messages complete "<field> must ...". */

const mediaElementMessage = "must be 1 to 63 letters, digits, dots, dashes or underscores, beginning with a letter or digit";
const poolMessage = "must be a NumberPool as namespace/name";
const objectMessage = "must be a JSON object, sent as application/json or text/plain";

const optionalText = (length: number, error = `must be a text of at most ${length} characters`) =>
  z.string({ error }).max(length, error).nullish();

/** What the browser script asks for (snippet/elements.ts). More than names may be: of a page's elements one whose pool can't be there is unknown, and spoils nothing for the others. */
const pool = z
  .string({ error: poolMessage })
  .max(127, poolMessage)
  .regex(/^[a-z0-9-]+\/[a-z0-9.-]+$/, poolMessage);
const mediaElement = z.string({ error: mediaElementMessage }).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, mediaElementMessage);

/** Unknown and forged tokens count as absent later on; only the form of the field is checked here. */
const token = optionalText(256);

const attributeMessage = "must be a text of at most 512 characters without control characters";
/** Postgres stores neither NUL nor lone surrogates; other control characters only serve to forge lines in reports. */
const attribute = z
  .string({ error: attributeMessage })
  .max(512, attributeMessage)
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), attributeMessage);
const attributeName = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, "must be a name of 1 to 64 letters, digits, dots, dashes or underscores");
const mostCharacters = 4096;
const attributesMessage = `must be an object of at most 32 texts, of at most ${mostCharacters} characters together with their names`;
const attributes = z
  .record(attributeName, attribute, { error: (issue) => (issue.code === "invalid_type" ? attributesMessage : undefined) })
  .refine((record) => Object.keys(record).length <= 32 && charactersOf(record) <= mostCharacters, attributesMessage)
  .nullish()
  .describe(`Of the visit, kept with each media element: at most 32, of ${mostCharacters} characters together with their names.`);

/** They are kept with each media element. */
function charactersOf(record: Readonly<Record<string, string>>): number {
  return Object.entries(record).flat().reduce((sum, text) => sum + text.length, 0);
}

const consent = z
  .enum(["granted", "denied"], "must be granted or denied")
  .nullish()
  .describe("Who denies is lent nothing and not remembered, whatever the pools require.");

const session = {
  visitor: token,
  device: token,
  page: optionalText(2048),
  landing: optionalText(2048),
  referrer: optionalText(2048),
  attributes,
  consent,
};

const elementsMessage = "must be a list of 1 to 32 elements";
const single = z.strictObject({ pool, mediaElement, ...session }, { error: unknownKeys });
const batch = z.strictObject(
  {
    elements: z
      .array(z.strictObject({ pool, mediaElement }, { error: unknownKeys }), elementsMessage)
      .min(1, elementsMessage)
      .max(32, elementsMessage),
    ...session,
  },
  { error: unknownKeys },
);

const callerMessage = "must be an E.164 number such as +12025550110";
const caller = z.string({ error: callerMessage }).transform((text, context): E164 => {
  const number = parseE164(text);
  if (number !== null) return number;
  context.addIssue({ code: "custom", message: callerMessage });
  return z.NEVER;
});
const siteMessage = "must be the site that the person tokens name";
const subjectMessage = "must be the person as the person tokens name it, 1 to 256 characters";
const person = z.strictObject(
  {
    site: z.string({ error: siteMessage }).regex(siteForm, siteMessage),
    subject: z.string({ error: subjectMessage }).min(1, subjectMessage).max(256, subjectMessage),
  },
  { error: unknownKeys },
);
const oneOf = "must name exactly one of visitor, person and caller";
const erasure = z
  .strictObject({ visitor: z.string("must be a visitor token").max(256).optional(), person: person.optional(), caller: caller.optional() }, { error: unknownKeys })
  .refine((body) => Object.values(body).filter((value) => value !== undefined).length === 1, oneOf);

export type ErasureRequest = z.infer<typeof erasure>;
export type SingleRequest = z.infer<typeof single>;
export type BatchRequest = z.infer<typeof batch>;

const personToken = z.string({ error: "must be a token made by the site's back end" }).max(maxPersonTokenLength, `must be no longer than ${maxPersonTokenLength} characters`);
const identify = z.strictObject({ token: personToken, visitor: token, device: token, consent }, { error: unknownKeys });
const device = z.strictObject({ visitor: token, device: token }, { error: unknownKeys });
const presence = z.strictObject(
  { visitor: token, device: token, state: z.enum(["online", "leaving"], "must be online or leaving") },
  { error: unknownKeys },
);
/** As many as fit into a body. */
const mostPools = 100;
const poolsMessage = `must be a list of 1 to ${mostPools} NumberPools as namespace/name`;
const release = z.strictObject(
  { pools: z.array(pool, poolsMessage).min(1, poolsMessage).max(mostPools, poolsMessage), visitor: token, device: token, consent },
  { error: unknownKeys },
);

const onlyOnce = (length: number) => z.string({ error: "must be given once at most" }).max(length, `must be a text of at most ${length} characters`).optional();
/** Of `GET /v1/amp`. AMP and its caches add parameters of their own: they are left alone. */
export const ampQuery = z.object({
  pool,
  mediaElement,
  client: onlyOnce(256).describe("AMP's CLIENT_ID(dialplane): who it is. Without it, and without our cookies, no number is lent."),
  page: onlyOnce(2048).describe("AMP's SOURCE_URL: the visit's campaign parameters are taken from it."),
  referrer: onlyOnce(2048).describe("AMP's DOCUMENT_REFERRER."),
  consent: z
    .enum(["granted", "sufficient", "not_required", "denied", "insufficient", "unknown", ""], "must be granted or denied, or what AMP replaces CONSENT_STATE by")
    .optional()
    .describe("granted, sufficient and not_required stand for a consent; with denied and insufficient no number is lent, whatever the pool requires. AMP's CONSENT_STATE."),
});

/** @throws HttpProblem 400 naming every field out of format. */
export function parseNumbers(body: unknown): SingleRequest | BatchRequest {
  return typeof body === "object" && body !== null && "elements" in body ? parse(batch, body) : parse(single, body);
}
export const parseIdentify = (body: unknown) => parse(identify, body);
export const parseDevice = (body: unknown) => parse(device, body);
export const parsePresence = (body: unknown) => parse(presence, body);
export const parseRelease = (body: unknown) => parse(release, body);
export const parseErasure = (body: unknown) => parse(erasure, body);

/** For the API's description: the schemas that the handlers parse with. */
export const requestSchemas = { single, batch, identify, device, presence, release, erasure } as const;

/** The parameters of a query, like a body. @throws HttpProblem 400 naming every parameter out of format. */
export function parseQuery<Schema extends z.ZodType>(schema: Schema, query: unknown): z.infer<Schema> {
  return parse(schema, { ...(query as object) });
}

function parse<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const faults = result.error.issues.slice(0, 20).flatMap(faultsOf);
  // A text may break two rules of its form that are one to whoever sent it.
  const told = new Map(faults.map((fault) => [`${fault.field} ${fault.message}`, fault]));
  throw new HttpProblem(400, "The request is not valid", { faults: [...told.values()] });
}

function faultsOf(issue: z.core.$ZodIssue) {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.slice(0, 20).map((key) => ({ field: fieldOf([...issue.path, key.slice(0, 64)]), message: "is not a known field" }));
  }
  const message = issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  return [{ field: fieldOf(issue.path), message }];
}

/** `["elements", 1, "pool"]` -> `elements[1].pool`; the whole body is `body`. */
function fieldOf(path: readonly PropertyKey[]): string {
  const text = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part).slice(0, 64)}`)).join("");
  return text === "" ? "body" : text.replace(/^\./, "");
}

function unknownKeys(issue: { readonly code?: string }): string | undefined {
  return issue.code === "invalid_type" ? objectMessage : undefined;
}
