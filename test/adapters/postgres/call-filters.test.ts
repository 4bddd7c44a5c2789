import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { callsQuery } from "../../../src/adapters/postgres/read-calls.ts";
import type { CallCursor, CallFilter } from "../../../src/domain/call-filter.ts";
import { freshDatabase, type TestDatabase } from "../../harness/postgres.ts";

const ROWS = 30_000;

/** A call a minute, of a thousand pools and many callers, nearly all of them alike in how they ended. */
const FILL = `insert into call (id, stage, pod, did, pool_key, caller, received_at, answered_at, ended_at, ending, attribution, attributes, legs, why)
  select 'call-' || n, 3000, 'pod-0', 12025550100, 'shop/pool-' || n % 1000, '+1312' || 5000000 + n % 200000, t, t, t,
    case when n % 5000 = 0 then 'failed' else 'completed' end, case when n % 5000 = 1 then 'ambiguous' else 'exclusive' end, '{}',
    jsonb_build_array(jsonb_build_object('channel', 'leg-' || n, 'destination', '+1202' || 5550000 + n % 1000, 'endedAt', t)), '[]'
  from (select n, now() - make_interval(mins => n) as t from generate_series(1, $1::int) n) s`;

describe("a page of call records is found by an index", () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await freshDatabase();
    await database.pool.query(FILL, [ROWS]);
    await database.pool.query("update call set ended_at = null where id in ('call-1', 'call-2')");
    await database.pool.query("analyze call");
  });
  afterAll(() => database.drop());

  async function plan(filter: CallFilter, after: CallCursor | null = null): Promise<string> {
    const { text, values } = callsQuery(filter, { limit: 100, after });
    const { rows } = await database.pool.query<{ "QUERY PLAN": string }>(`explain (analyze, buffers) ${text}`, values);
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  }

  test.each<readonly [string, CallFilter, string]>([
    ["without a filter", {}, "call_received"],
    ["of a pool", { pool: "shop/pool-7" }, "call_pool"],
    ["of an outcome that is rare", { outcome: "failed" }, "call_ending"],
    ["in progress", { outcome: "live" }, "call_live"],
    ["of an attribution that is rare", { attribution: "ambiguous" }, "call_attribution"],
    ["of a caller", { callerPrefix: "+13125000042" }, "call_caller_prefix"],
    ["of a destination that was rung", { destination: "+12025550123" }, "call_destination"],
    ["of a time", { since: new Date(Date.now() - 86_400_000), until: new Date(Date.now() - 80_000_000) }, "call_received"],
    ["of a pool and an outcome", { pool: "shop/pool-0", outcome: "failed" }, "call_"],
  ])("%s", async (_, filter, index) => {
    const text = await plan(filter);
    expect(text).toContain(index);
    expect(text).not.toContain("Seq Scan on call");
    // Of the rows that are read, few are thrown away.
    const removed = [...text.matchAll(/Rows Removed by (?:Filter|Index Recheck): (\d+)/g)].map(([, count]) => Number(count));
    expect(Math.max(0, ...removed)).toBeLessThan(500);
  });

  test("deep in the list, from where the page before ended", async () => {
    const after = { receivedAt: new Date(Date.now() - 20_000 * 60_000), id: "call-20000" };
    const text = await plan({}, after);
    expect(text).toContain("call_received");
    expect(/Rows Removed by Filter: (\d+)/.exec(text)?.[1] ?? "0").toMatch(/^\d{1,2}$/);
  });
});
