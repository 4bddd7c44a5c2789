import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express from "express";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CallRecord, E164 } from "../../src/domain/types.ts";
import { readRoutes } from "../../src/ingress/read-routes.ts";
import { aCall, aLeg } from "../adapters/postgres/world.ts";
import { assertDescribed } from "./contract.ts";
import { apiToken, reportToken, startSite, type Site } from "./site.ts";

const START = Date.parse("2026-06-01T12:00:00Z");
const at = (minute: number) => new Date(START + minute * 60_000);

/** Received at that minute and ended. */
function ended(id: string, minute: number, of: Partial<CallRecord> = {}): CallRecord {
  return aCall({ id, did: "+12025551000" as E164, pool: "default/sales", receivedAt: at(minute), endedAt: at(minute + 1), end: "no-answer", ...of });
}

const CALLS: readonly CallRecord[] = [
  ended("busy", 1, { end: "busy", legs: [aLeg("l1", { result: "busy", endedAt: at(1) })], caller: "+13125550101" }),
  ended("twin-b", 2, { attribution: "exclusive", prospect: "9b2c0f5e-52a4-4f9b-8c8e-0c1f6c3d7a11", mediaElement: "hero", attributes: { utm_source: "=1+1" } }),
  ended("twin-a", 2, { pool: "default/support", caller: null }),
  ended("sip", 3, {
    end: "completed",
    answeredBy: "sip:desk@pbx.example.com",
    legs: [aLeg("l2", { result: "no-answer", endedAt: at(3) }), aLeg("l3", { destination: "sip:desk@pbx.example.com", result: "answered", endedAt: at(4) })],
    why: [{ rule: "default/rule", matched: true, reason: "Matched", message: "all conditions hold" }],
  }),
  aCall({ id: "live", did: "+12025551000" as E164, pool: "default/sales", receivedAt: new Date() }),
  // A pod that never came back left it open.
  ended("lost", 0, { endedAt: null, end: null, receivedAt: new Date(Date.now() - 90_000_000) }),
];

describe("call records", () => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite({ others: { "default/support": {} } });
    for (const call of CALLS) await site.stores.saveCall(call);
  });
  afterAll(() => site.close());

  async function ask(path: string, token: string | null = apiToken, headers: Record<string, string> = {}) {
    const response = await fetch(site.url + path, { headers: { ...headers, ...(token === null ? {} : { Authorization: `Bearer ${token}` }) } });
    const text = await response.text();
    const bare = (path.split("?")[0] ?? "").replace(/^\/v1\/calls\/.*/, "/v1/calls/{id}");
    assertDescribed({ method: "GET", path: bare, status: response.status, contentType: response.headers.get("content-type"), body: text });
    return { status: response.status, headers: response.headers, text };
  }

  async function page(query: string, token = apiToken): Promise<{ calls: CallRecord[]; next: string | null }> {
    const { status, text } = await ask(`/v1/calls?${query}`, token);
    if (status !== 200) throw new Error(`${query} answered ${status}: ${text}`);
    return JSON.parse(text) as { calls: CallRecord[]; next: string | null };
  }

  const ids = async (query: string) => (await page(query)).calls.map(({ id }) => id);

  it("come the newest first, whole, and one by one", async () => {
    const { calls, next } = await page("");
    expect(next).toBeNull();
    expect(calls.map(({ id }) => id)).toEqual(["live", "lost", "sip", "twin-a", "twin-b", "busy"]);
    const sip = CALLS.find(({ id }) => id === "sip");
    expect(calls.find(({ id }) => id === "sip")).toEqual(JSON.parse(JSON.stringify(sip)));
    expect(JSON.parse((await ask("/v1/calls/sip")).text)).toEqual(JSON.parse(JSON.stringify(sip)));
  });

  it.each<[string, string, readonly string[]]>([
    ["since a time", "since=2026-06-01T14:03:00%2B02:00&until=2026-06-01T12:04:00Z", ["sip"]],
    ["until a time, which is left out", "until=2026-06-01T12:02:00Z", ["busy"]],
    ["of a pool", "pool=default/support", ["twin-a"]],
    ["of callers that begin so", "caller=%2B1312", ["busy"]],
    ["that rang a destination in vain", "destination=%2B12025550141", ["sip", "busy"]],
    ["that rang a SIP URI", "destination=sip:desk@pbx.example.com", ["sip"]],
    ["with an attribution", "attribution=exclusive", ["twin-b"]],
    ["with an outcome", "outcome=no-answer", ["twin-a", "twin-b"]],
    ["in progress, without those that nobody will ever close", "outcome=live", ["live"]],
    ["for which all of it holds", "outcome=no-answer&pool=default/sales", ["twin-b"]],
    ["of which there are none", "outcome=declined", []],
    ["of a caller with a wildcard for Postgres, which is none", "destination=%25", []],
  ])("are found %s", async (_, query, expected) => {
    expect(await ids(query)).toEqual(expected);
  });

  it.each([1, 2, 4, 5])("come in pages of %d without one left out or twice, also of one moment", async (limit) => {
    const seen: string[] = [];
    let after = "";
    for (let pages = 0; pages < 10; pages += 1) {
      const { calls, next } = await page(`limit=${limit}${after}`);
      seen.push(...calls.map(({ id }) => id));
      if (next === null) break;
      expect(calls).toHaveLength(limit);
      after = `&after=${next}`;
    }
    expect(seen).toEqual(["live", "lost", "sip", "twin-a", "twin-b", "busy"]);
  });

  it("that come in while somebody turns pages move nothing", async () => {
    const first = await page("limit=3");
    await site.stores.saveCall(ended("newer", 0, { receivedAt: new Date() }));
    expect(await ids(`limit=3&after=${first.next ?? ""}`)).toEqual(["twin-a", "twin-b", "busy"]);
    await site.stores.saveCall(ended("much-newer", 0, { receivedAt: new Date(), pool: "default/support" }));
  });

  it("come as a table, safe to open in a spreadsheet", async () => {
    const { status, headers, text } = await ask("/v1/calls.csv?until=2026-06-01T13:00:00Z");
    expect([status, headers.get("content-disposition")]).toEqual([200, 'attachment; filename="calls.csv"']);
    const lines = text.split("\r\n");
    expect(lines.map((line) => line.split(",")[0])).toEqual(['"id"', '"sip"', '"twin-a"', '"twin-b"', '"busy"', ""]);
    expect(lines[3]).toContain('"{""utm_source"":""=1+1""}"');
  });

  it("come as a table that a spreadsheet takes for UTF-8: its first bytes are the byte order mark", async () => {
    const response = await fetch(`${site.url}/v1/calls.csv`, { headers: { Authorization: `Bearer ${apiToken}` } });
    expect([...new Uint8Array(await response.arrayBuffer()).subarray(0, 4)]).toEqual([0xef, 0xbb, 0xbf, 0x22]);
  });

  it("come as a table however many there are", async () => {
    const many = await startSite();
    try {
      for (let n = 0; n < 1203; n += 1) await many.stores.saveCall(ended(`call-${String(n).padStart(4, "0")}`, Math.floor(n / 100)));
      const response = await fetch(`${many.url}/v1/calls.csv`, { headers: { Authorization: `Bearer ${apiToken}` } });
      const found = (await response.text()).split("\r\n").slice(1, -1).map((line) => line.slice(1, 10));
      expect(new Set(found).size).toBe(1203);
      expect(found).toHaveLength(1203);
    } finally {
      await many.close();
    }
  }, 60_000);

  it.each(["since=0000-01-01T00:00:00%2B23:59", "until=9999-12-31T23:59:59-23:59"])("are all found from the beginning to the end of time: %s", async (query) => {
    expect((await page(query)).calls.length).toBeGreaterThan(3);
  });

  it("come as a table to a slow reader without a listener more for each page, and are not read for who wants the headers alone", async () => {
    const warnings: string[] = [];
    const warned = ({ name }: Error) => void warnings.push(name);
    process.on("warning", warned);
    let pages = 0;
    const records = {
      calls: () => Promise.resolve(Array.from({ length: (pages += 1) < 20 ? 500 : 1 }, (_, n) => ended(`call-${pages}-${n}`, 0))),
      call: () => Promise.resolve(null),
      totals: () => Promise.resolve({}),
      liveCalls: () => Promise.resolve({}),
    };
    const app = express().use(readRoutes({ records, access: () => "all", pools: () => new Map(), clock: { now: () => new Date() } }));
    const server = app.listen(0, "127.0.0.1");
    try {
      await once(server, "listening");
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/calls.csv`;
      const text = await (await fetch(url)).text();
      expect(text.split("\r\n")).toHaveLength(19 * 500 + 3);
      expect(warnings).toEqual([]);
      pages = 0;
      expect((await fetch(url, { method: "HEAD" })).headers.get("content-type")).toContain("text/csv");
      expect(pages).toBe(1);
    } finally {
      server.close();
      process.off("warning", warned);
    }
  });

  it("show a report no caller's whole number, and don't let it guess", async () => {
    const callers = (await page("until=2026-06-01T13:00:00Z", reportToken)).calls.map(({ caller }) => caller);
    expect(callers).toEqual(["+4930******", null, "+4930******", "+1312*******"]);
    expect(JSON.parse((await ask("/v1/calls/busy", reportToken)).text)).toMatchObject({ caller: "+1312*******" });
    expect((await ask("/v1/calls.csv", reportToken)).text).not.toMatch(/\+13125550101|\+4930123456/);
    for (const path of ["/v1/calls", "/v1/calls.csv"]) {
      const { status, text } = await ask(`${path}?caller=%2B1312`, reportToken);
      expect([status, (JSON.parse(text) as { field: string }).field]).toEqual([403, "caller"]);
    }
  });

  it.each<[string, string | null, string]>([
    ["no token", null, "/v1/calls"],
    ["a wrong token", `${apiToken}x`, "/v1/calls"],
    ["no token", null, "/v1/calls.csv"],
    ["no token", null, "/v1/calls/sip"],
    ["no token", null, "/v1/pools"],
  ])("are nobody's with %s: %s %s", async (_, token, path) => {
    const { status, headers, text } = await ask(path, token);
    expect([status, headers.get("www-authenticate"), headers.get("cache-control")]).toEqual([401, 'Bearer realm="dialplane"', "no-store"]);
    expect(text).not.toContain("sip:desk");
  });

  it("are no page's to read: not even an allowed origin is told that it may", async () => {
    const { status, headers } = await ask("/v1/calls", apiToken, { Origin: site.url });
    expect([status, headers.get("access-control-allow-origin")]).toEqual([200, null]);
  });

  it.each([
    ["limit=0", "limit"], ["limit=501", "limit"], ["limit=1&limit=2", "limit"], ["after=x", "after"], ["since=yesterday", "since"],
    ["since=2026-06-01T12:00:00", "since"], ["until=2026-02-31T25:00:00Z", "until"], ["since=2026-02-30T10:00:00Z", "since"], ["until=2026-04-31T10:00:00Z", "until"], ["pool=sales", "pool"], ["caller=1312", "caller"],
    ["destination=a%20b", "destination"], ["attribution=sure", "attribution"], ["outcome=good", "outcome"], ["colour=red", "colour"],
  ])("refuse ?%s and name the parameter, once", async (query, field) => {
    const { status, text } = await ask(`/v1/calls?${query}`);
    const { errors } = JSON.parse(text) as { readonly errors: readonly { readonly field: string }[] };
    expect([status, errors.map((error) => error.field)]).toEqual([400, [field]]);
  });

  it.each(["nobody", "%00", "a%20b", "x".repeat(200)])("of an unknown id are not found: %s", async (id) => {
    expect((await ask(`/v1/calls/${id}`)).status).toBe(404);
  });

  it("are told by pool, with the state of its numbers", async () => {
    await site.post("/v1/numbers", { pool: "default/sales", mediaElement: "banner" });
    const { text } = await ask("/v1/pools", reportToken);
    const { pools } = JSON.parse(text) as { pools: readonly object[] };
    expect(pools).toMatchObject([
      { pool: "default/sales", numbers: { total: 10, leased: 1, available: 9, utilizationPercent: 10 }, liveCalls: 1 },
      { pool: "default/support", numbers: { total: 10, leased: 0 }, liveCalls: 0 },
    ]);
  });

  it("are told as described of a pool that is busy enough for its demand to be measured", async () => {
    const busy = await startSite();
    try {
      for (let n = 0; n < 10; n += 1) await busy.post("/v1/numbers", { pool: "default/sales", mediaElement: "banner" });
      const response = await fetch(`${busy.url}/v1/pools`, { headers: { Authorization: `Bearer ${reportToken}` } });
      const body = await response.text();
      assertDescribed({ method: "GET", path: "/v1/pools", status: response.status, contentType: response.headers.get("content-type"), body });
      expect((await busy.stores.counts()).leased).toBe(10);
    } finally {
      await busy.close();
    }
  });
});
