import { z } from "zod";
import { parseCursor, type CallCursor, type CallFilter } from "../domain/call-filter.ts";
import { isDay } from "../domain/days.ts";
import { ATTRIBUTIONS, CALL_ENDS } from "../domain/types.ts";
import { HttpProblem } from "./problem.ts";
import { parseQuery } from "./requests.ts";

const OUTCOMES = ["live", ...CALL_ENDS] as const;

export const PAGE = { preset: 100, most: 500 } as const;

const timeMessage = "must be a time with offset, such as 2026-06-01T12:00:00Z";
const time = z
  .string({ error: timeMessage })
  .max(40, timeMessage)
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/, timeMessage)
  .refine((text) => isDay(text) && !Number.isNaN(Date.parse(text)), timeMessage)
  .describe("RFC 3339.");
const poolMessage = "must be a NumberPool as namespace/name";
const prefixMessage = 'must be "+" and 1 to 15 digits';
const destinationMessage = "must be a number in E.164 or a SIP URI, without spaces";
const limitMessage = `must be a whole number from 1 to ${PAGE.most}`;
const onlyOnce = "must be given once at most";

/** Of `GET /v1/calls` and `/v1/calls.csv`. */
const filters = {
  since: time.optional().describe("Received then or later."),
  until: time.optional().describe("Received before."),
  pool: z.string({ error: onlyOnce }).max(127, poolMessage).regex(/^[a-z0-9][a-z0-9-]*\/[a-z0-9][a-z0-9.-]*$/, poolMessage).optional(),
  caller: z.string({ error: onlyOnce }).regex(/^\+[1-9][0-9]{0,14}$/, prefixMessage).optional().describe("How the caller's number begins; may be asked with a token that reads callers only."),
  destination: z.string({ error: onlyOnce }).max(255, destinationMessage).regex(/^[!-~]+$/, destinationMessage).optional().describe("Was rung, whether it answered or not."),
  attribution: z.enum(ATTRIBUTIONS, `must be one of ${ATTRIBUTIONS.join(", ")}`).optional(),
  outcome: z.enum(OUTCOMES, `must be one of ${OUTCOMES.join(", ")}`).optional().describe("live: in progress."),
};
const listing = z.strictObject({
  ...filters,
  limit: z.string({ error: onlyOnce }).regex(/^[1-9][0-9]{0,2}$/, limitMessage).refine((text) => Number(text) <= PAGE.most, limitMessage).optional(),
  after: z.string({ error: onlyOnce }).max(300).optional().describe("`next` of the page before."),
});
const table = z.strictObject(filters);

export const querySchemas = { listing, table };

/** @throws HttpProblem 400 naming every parameter out of format */
export function parseListing(query: unknown): { readonly filter: CallFilter; readonly limit: number; readonly after: CallCursor | null } {
  const { limit, after, ...rest } = parseQuery(listing, query);
  const cursor = after === undefined ? null : parseCursor(after);
  if (after !== undefined && cursor === null) throw new HttpProblem(400, "The request is not valid", { faults: [{ field: "after", message: "must be `next` of another page" }] });
  return { filter: filterOf(rest), limit: limit === undefined ? PAGE.preset : Number(limit), after: cursor };
}

/** @throws HttpProblem 400 naming every parameter out of format */
export function parseTable(query: unknown): CallFilter {
  return filterOf(parseQuery(table, query));
}

function filterOf({ since, until, caller, ...rest }: z.infer<typeof table>): CallFilter {
  return { ...rest, callerPrefix: caller, since: since === undefined ? undefined : new Date(since), until: until === undefined ? undefined : new Date(until) };
}
