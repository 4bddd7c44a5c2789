import { z } from "zod";
import { answerSchemas } from "./openapi-schemas.ts";
import { querySchemas } from "./calls-query.ts";
import { ampQuery, requestSchemas } from "./requests.ts";

/** A description of an answer and what its body is; without a schema there is none. */
interface Answer {
  readonly description: string;
  readonly schema?: keyof typeof answerSchemas;
  readonly alternatives?: readonly (keyof typeof answerSchemas)[];
  readonly type?: string;
}

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const problem = (description: string): Answer => ({ description, schema: "Problem", type: "application/problem+json" });

/** What every end point under /v1 may answer before it looks at the request: see the order of the middleware in app.ts. */
const common = {
  "403": problem("The page's origin may not ask."),
  "413": problem("The body is larger than 16 kB."),
  "415": problem("The body is compressed or not UTF-8."),
  "429": problem("Too many requests of one address; Retry-After says when to come back."),
  "500": problem("The service could not answer; the page keeps its own number."),
  "503": problem("Beyond capacity, or the database is away; Retry-After says when to come back. The page keeps its own number."),
} as const;
const invalid = { "400": problem("A field is out of format; all of them are named.") };
const unknownPool = { "404": problem("No NumberPool of the request is known, or in service.") };
const noContent: Answer = { description: "Done." };

/** Of what needs a bearer token to be read. */
const readers = {
  "401": problem("The bearer token is missing or unknown."),
  "403": problem("The token may not read callers' numbers."),
  "500": problem("The service could not answer."),
  "503": problem("The database is away; Retry-After says when to come back."),
} as const;

type Answers = Readonly<Record<string, Answer>>;

function operation(summary: string, body: readonly (keyof typeof requestSchemas)[], answers: Answers): object {
  const [only, ...more] = body.map((name) => ref(requestName(name)));
  const schema = more.length === 0 ? only : { anyOf: [only, ...more] };
  // text/plain saves pages the preflight.
  const content = { "application/json": { schema }, "text/plain": { schema } };
  return { summary, ...(only === undefined ? {} : { requestBody: { required: true, content } }), responses: responsesOf(answers) };
}

function responsesOf(answers: Answers): object {
  return Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, responseOf(answer)]));
}

function responseOf({ description, schema, alternatives, type = "application/json" }: Answer): object {
  const whole = alternatives === undefined ? (schema === undefined ? undefined : ref(schema)) : { anyOf: alternatives.map(ref) };
  if (whole !== undefined) return { description, content: { [type]: { schema: whole } } };
  return type === "application/json" ? { description } : { description, content: { [type]: { schema: { type: "string" } } } };
}

/** A GET for holders of a bearer token; its parameters are those that the handler parses. */
function reading(summary: string, query: z.ZodType, answers: Answers): object {
  const parameters = parametersOf(query);
  return { ...operation(summary, [], answers), ...(parameters.length === 0 ? {} : { parameters }), security: [{ apiToken: [] }, { reportToken: [] }] };
}

function parametersOf(query: z.ZodType): readonly object[] {
  const { properties = {}, required = [] } = z.toJSONSchema(query, { io: "input" });
  return Object.entries(properties).map(([name, schema]) => ({ name, in: "query", required: required.includes(name), schema }));
}

const requestName = (name: string) => `${name[0]?.toUpperCase() ?? ""}${name.slice(1)}Request`;

const paths = {
  "/v1/numbers": {
    post: operation("The numbers that a page or an app shows to this visitor: one element, or up to 32.", ["single", "batch"], {
      "200": { description: "What each element shows. An exhausted pool is a success with another status.", alternatives: ["SingleAnswer", "BatchAnswer"] },
      ...invalid, ...common, ...unknownPool,
    }),
  },
  "/v1/amp": {
    get: {
      ...operation("The number of one media element for `amp-call-tracking` (docs/web.md). Pages in AMP caches of an allowed origin may ask as well.", [], {
        "200": { description: "The number to show. Without one, AMP leaves the link as it is written.", schema: "AmpAnswer" },
        ...invalid, ...common, ...unknownPool,
      }),
      parameters: parametersOf(ampQuery),
    },
  },
  "/v1/identify": {
    post: operation("Joins this device to a person who logged in; the site's back end signs the token (docs/identify.md). Not with `consent: denied`, nor without `granted` where a pool that the page's origin may ask for requires it: nothing is stored then. Without a device token it makes a device, which counts as a new visitor of its address: 429 beyond the limit.", ["identify"], {
      "200": { description: "Who the device belongs to now.", schema: "Identity" },
      ...invalid, ...common, "401": problem("No site that this service knows signed the token, or it is expired."),
    }),
  },
  "/v1/leave": {
    post: operation("Takes this device off its person: log-out.", ["device"], { "200": { description: "The device's new visitor.", schema: "Identity" }, ...invalid, ...common }),
  },
  "/v1/release": {
    post: operation("Gives this visitor's numbers of these pools back, all or none; their cool-downs start, though nobody else gets a number before the time until which another page of the person was promised it. The person's other devices are told by their streams. Pools that are not there any more do no harm; those that the page may not ask for are left alone. With `consent: denied` the cookies are taken back as well.", ["release"], { "204": noContent, ...invalid, ...common }),
  },
  "/v1/presence": {
    post: operation("Says that this device is there, or leaves; for clients without a stream.", ["presence"], { "204": noContent, ...invalid, ...common }),
  },
  "/v1/stream": {
    get: {
      ...operation("Server-sent events: `number` with an Element when another device of the same person was shown a number, or gave it back (`unchanged`), of pools that the page's origin may ask for; `again` when the client shall open the next stream and close this one, which ends soon.", [], {
        "200": { description: "A stream that stays open. The device is online while it is.", type: "text/event-stream" },
        ...invalid, ...common,
      }),
      parameters: [{ name: "device", in: "query", required: false, schema: { type: "string" }, description: "The device token; may be left out where the cookie is sent." }],
    },
  },
  "/v1/erasures": {
    post: {
      ...operation("Forgets a person: by visitor token, by log-in, or by the number they called from.", ["erasure"], {
        "204": { description: "Forgotten, or never known." },
        ...invalid, ...common, "401": problem("The bearer token is missing or unknown."),
      }),
      security: [{ apiToken: [] }],
    },
  },
  "/v1/calls": {
    get: reading("Call records, the newest first, page by page. `outcome=live` are those in progress.", querySchemas.listing, {
      "200": { description: "A page.", schema: "CallPage" },
      ...invalid, ...readers,
    }),
  },
  "/v1/calls.csv": {
    get: reading("The same as a table, all of it (RFC 4180), UTF-8 with a byte order mark. Text that a spreadsheet would take for a formula begins with an apostrophe.", querySchemas.table, {
      "200": { description: "A header and one line a call.", type: "text/csv" },
      ...invalid, ...readers,
    }),
  },
  "/v1/calls/{id}": {
    get: {
      ...reading("One call.", z.object({}), { "200": { description: "The call.", schema: "Call" }, "404": problem("There is no such call."), ...readers }),
      parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
    },
  },
  "/v1/pools": { get: reading("Pools, the state of their numbers, and their calls in progress.", z.object({}), { "200": { description: "All of them.", schema: "Pools" }, ...readers }) },
  "/healthz": { get: operation("Whether the process lives.", [], { "200": { description: "It does.", schema: "Alive" } }) },
  "/readyz": {
    get: operation("Whether it can do its job.", [], {
      "200": { description: "It can.", schema: "Readiness" },
      "503": { description: "It can't yet, or not now.", schema: "Readiness" },
    }),
  },
  "/metrics": { get: operation("Metrics for Prometheus.", [], { "200": { description: "Text exposition format.", type: "text/plain" } }) },
  "/dialplane.js": {
    get: operation("The script for pages.", [], { "200": { description: "JavaScript.", type: "text/javascript" }, "304": { description: "As known." } }),
  },
  "/openapi.json": { get: operation("This document.", [], { "200": { description: "OpenAPI 3.1.", type: "application/openapi+json" } }) },
};

/** The description of ingress' HTTP API (https://spec.openapis.org/oas/v3.1.1), checked in as docs/openapi.json. */
export function openApiDocument(): object {
  const requests = Object.entries(requestSchemas).map(([name, schema]) => [requestName(name), withoutDialect(z.toJSONSchema(schema, { io: "input" }))] as const);
  return {
    openapi: "3.1.1",
    info: {
      title: "Dialplane ingress",
      version: "1",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      description: "Numbers for pages and apps, call records for the site's own systems. Every error is an RFC 9457 problem that names the field and what is allowed there.",
    },
    paths,
    components: {
      schemas: { ...Object.fromEntries(requests), ...answerSchemas },
      securitySchemes: { apiToken: { type: "http", scheme: "bearer", description: "One of DIALPLANE_API_TOKENS." }, reportToken: { type: "http", scheme: "bearer", description: "One of DIALPLANE_REPORT_TOKENS: callers' numbers are masked." } },
    },
  };
}

function withoutDialect(schema: object): object {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== "$schema"));
}
