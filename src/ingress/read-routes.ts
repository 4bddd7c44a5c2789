import { Router, type Response } from "express";
import { cursorOf, type CallFilter } from "../domain/call-filter.ts";
import { CSV_HEADER, csvLine } from "../domain/call-csv.ts";
import { maskCaller } from "../domain/e164.ts";
import type { Clock, PoolEntry, PoolTotals, Records } from "../domain/ports.ts";
import { utilisation } from "../domain/statuses.ts";
import type { CallRecord, ResourceKey } from "../domain/types.ts";
import { PAGE, parseListing, parseTable } from "./calls-query.ts";
import { HttpProblem } from "./problem.ts";
import { authorised, rightsOf, type ReadAccess } from "./bearer.ts";

export interface ReadDeps {
  readonly records: Records;
  readonly access: ReadAccess;
  readonly pools: () => ReadonlyMap<ResourceKey, PoolEntry>;
  readonly clock: Clock;
}

/** Counting reads every number: whoever asks more often gets the last count. */
const TOTALS_MILLISECONDS = 10_000;

/** Call records and pools, for people and other systems: `GET /calls`, `/calls.csv`, `/calls/:id` and `/pools`. */
export function readRoutes(deps: ReadDeps): Router {
  const { records } = deps;
  const router = Router();
  const totals = countedSeldom(records, deps.clock);
  router.use(["/calls", "/calls.csv", "/pools"], authorised(deps.access));
  router.get("/calls", async (request, response) => {
    const { filter, limit, after } = parseListing(request.query);
    assertMayAsk(filter, response);
    // One more than asked for tells whether there is another page.
    const found = await records.calls(filter, { limit: limit + 1, after });
    const page = found.slice(0, limit);
    const last = page.at(-1);
    response.json({ calls: page.map((call) => visible(call, response)), next: found.length > limit && last !== undefined ? cursorOf(last) : null });
  });
  router.get("/calls.csv", async (request, response) => {
    const filter = parseTable(request.query);
    assertMayAsk(filter, response);
    await sendTable(records, filter, response);
  });
  router.get("/calls/:id", async (request, response) => {
    const { id } = request.params;
    // No other id was ever given to a call.
    const call = /^[!-~]{1,128}$/.test(id) ? await records.call(id) : null;
    if (call === null) throw new HttpProblem(404, "Not found", { detail: "there is no call with this id" });
    response.json(visible(call, response));
  });
  router.get("/pools", async (_request, response) => {
    const [{ countedAt, byPool }, live] = await Promise.all([totals(), records.liveCalls()]);
    const pools = [...deps.pools().values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    response.json({ countedAt, pools: pools.map((pool) => ({ pool: pool.key, numbers: utilised(byPool[pool.key]), liveCalls: live[pool.key] ?? 0 })) });
  });
  return router;
}

/** Asking for prefixes again and again would find out the whole number. */
function assertMayAsk({ callerPrefix }: CallFilter, response: Response): void {
  if (callerPrefix === undefined || rightsOf(response) === "all") return;
  throw new HttpProblem(403, "Not allowed", { faults: [{ field: "caller", message: "must not be given: this token may not read callers' numbers" }] });
}

function visible(call: CallRecord, response: Response): CallRecord {
  return rightsOf(response) === "all" || call.caller === null ? call : { ...call, caller: maskCaller(call.caller) };
}

/** Page by page, as fast as the client reads: a table may have millions of lines. */
async function sendTable(records: Records, filter: CallFilter, response: Response): Promise<void> {
  let page = await records.calls(filter, { limit: PAGE.most, after: null });
  // Headers go out with the first page: a database that is away is still a 503.
  response.type("text/csv; charset=utf-8; header=present").set("Content-Disposition", 'attachment; filename="calls.csv"');
  if (response.req.method === "HEAD") {
    // The rest would be read for nobody.
    response.end();
    return;
  }
  response.write(CSV_HEADER);
  for (;;) {
    const room = response.write(page.map((call) => csvLine(visible(call, response))).join(""));
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE.most || response.destroyed) break;
    if (!room) await drained(response);
    page = await records.calls(filter, { limit: PAGE.most, after: last });
  }
  response.end();
}

/** Or closed: nobody reads any more. */
function drained(response: Response): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

interface Counted {
  readonly countedAt: Date;
  readonly byPool: Readonly<Record<ResourceKey, PoolTotals>>;
}

function countedSeldom(records: Records, clock: Clock): () => Promise<Counted> {
  let last: { readonly at: number; readonly counted: Promise<Counted> } | undefined;
  return () => {
    const now = clock.now();
    if (last !== undefined && now.getTime() - last.at < TOTALS_MILLISECONDS) return last.counted;
    const counted = records.totals().then((byPool) => ({ countedAt: now, byPool }));
    last = { at: now.getTime(), counted };
    // The next one asks again instead of hearing of this failure for ten seconds.
    counted.catch(() => (last = undefined));
    return counted;
  };
}

/** null: the database has not heard of the pool yet. */
function utilised(totals: PoolTotals | undefined): (Omit<PoolTotals, "demand"> & { readonly utilizationPercent: number }) | null {
  if (totals === undefined) return null;
  const { total, leased, coolingDown, available, retiring } = totals;
  return { total, leased, coolingDown, available, retiring, utilizationPercent: utilisation(totals) };
}
