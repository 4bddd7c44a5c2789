import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assertDescribed } from "./contract.ts";
import { startSite, type Site } from "./site.ts";

const own = "https://www.acme-windows.example";
const cached = "https://www-acme--windows-example.cdn.ampproject.org";
const browser = "Mozilla/5.0 (Linux; Android 15) Chrome/130 Mobile";

let site: Site;
beforeAll(async () => {
  site = await startSite({
    numbers: 50,
    spec: { allowedOrigins: [own], sources: [{ attributes: [{ name: "gclid", type: "Exists" }], poolRef: { name: "search" } }] },
    others: {
      "default/search": { ranges: [{ from: "+12025553010", to: "+12025553019" }] },
      "default/careful": { allowedOrigins: [own], consent: "Required" },
      "default/international": { allowedOrigins: [own], display: { format: "International" } },
      "default/full": { allowedOrigins: [own], ranges: [], numbers: ["+12025554000"], display: { format: "E164" } },
    },
  });
});
afterAll(() => site.close());

async function ask(query: Record<string, string>, headers: Record<string, string | null> = {}, at = site) {
  const all = { Origin: cached, "User-Agent": browser, ...headers };
  const kept = Object.entries<string | null>(all).filter((entry): entry is [string, string] => entry[1] !== null);
  const parameters = new URLSearchParams({ pool: "default/sales", mediaElement: "hero", ...query });
  const response = await fetch(`${at.url}/v1/amp?${parameters.toString()}`, { headers: kept });
  const body = await response.text();
  assertDescribed({ method: "GET", path: "/v1/amp", status: response.status, contentType: response.headers.get("content-type"), body });
  return { status: response.status, headers: response.headers, body: JSON.parse(body) as Record<string, string> };
}

describe("GET /v1/amp", () => {
  it("answers what amp-call-tracking takes, to a page in a cache, and lets nobody store it", async () => {
    const { status, headers, body } = await ask({ client: "amp-anna" });
    expect(status).toBe(200);
    expect(body).toEqual({ phoneNumber: expect.stringMatching(/^\+12025551\d{3}$/) as string, formattedPhoneNumber: expect.stringMatching(/^\(202\) 555-1\d{3}$/) as string });
    expect(headers.get("access-control-allow-origin")).toBe(cached);
    expect(headers.get("access-control-allow-credentials")).toBe("true");
    expect(headers.get("vary")).toBe("Origin");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("set-cookie")).toBeNull();
  });

  it("knows who comes back, on every page, in the cache and on the site, and nobody else", async () => {
    const first = await ask({ client: "amp-bert" });
    expect((await ask({ client: "amp-bert", mediaElement: "footer" }, { Origin: own })).body).toEqual(first.body);
    expect((await ask({ client: "amp-bert" }, { Origin: null, "AMP-Same-Origin": "true" })).body).toEqual(first.body);
    expect((await ask({ client: "amp-carl" })).body).not.toEqual(first.body);
    const shown = await site.stores.associations(String(first.body["phoneNumber"]));
    expect(shown.map(({ mediaElement }) => mediaElement).sort()).toEqual(["footer", "hero"]);
  });

  it("lends nothing to HEAD, which would not be told the number", async () => {
    const before = await site.stores.counts();
    const answer = await fetch(`${site.url}/v1/amp?pool=default/sales&mediaElement=hero&client=amp-head`, { method: "HEAD", headers: { Origin: cached, "User-Agent": browser } });
    expect([answer.status, await site.stores.counts()]).toEqual([404, before]);
  });

  it("is who the page's cookies say, where the browser sends them", async () => {
    const visitor = await site.post("/v1/numbers", { pool: "default/sales", mediaElement: "hero" }, { Origin: own, "Sec-Fetch-Site": "same-site" });
    const cookie = visitor.headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");
    expect((await ask({ client: "amp-dora" }, { Origin: own, Cookie: cookie })).body["phoneNumber"]).toBe(visitor.body["number"]);
  });

  it("is who AMP says where the cookies are not the service's any more, and nobody without that", async () => {
    const Cookie = ["visitor", "device"].map((name) => `dp_${name}=v1.${"A".repeat(44)}`).join("; ");
    const first = await ask({ client: "amp-dirk" });
    expect((await ask({ client: "amp-dirk" }, { Origin: own, Cookie })).body).toEqual(first.body);
    const before = await site.stores.counts();
    expect((await ask({}, { Origin: own, Cookie })).body).toEqual({});
    expect(await site.stores.counts()).toEqual(before);
  });

  it("takes the visit's source from the page's address, and chooses the pool by it", async () => {
    const { body } = await ask({ client: "amp-emil", page: `${own}/spring?gclid=X1&email=emil@example.com`, referrer: "https://search.example/?q=private" });
    expect(body["phoneNumber"]).toMatch(/^\+12025553/);
    expect((await site.stores.associations(String(body["phoneNumber"])))[0]?.attributes).toEqual({ page: `${own}/spring`, gclid: "X1", referrer: "search.example" });
  });

  it("writes the number as the pool says", async () => {
    expect((await ask({ client: "amp-fritz", pool: "default/international" })).body["formattedPhoneNumber"]).toMatch(/^\+1 202 555 \d{4}$/);
  });

  it.each<[string, Record<string, string>, Record<string, string | null>]>([
    ["nobody would be known again", {}, {}],
    ["AMP gives no client id without consent", { client: "" }, {}],
    ["the pool requires consent and it isn't said", { client: "amp-gerd", pool: "default/careful" }, {}],
    ["it is refused", { client: "amp-gerd", pool: "default/careful", consent: "insufficient" }, {}],
    ["it is refused, whatever the pool requires", { client: "amp-gerd", consent: "insufficient" }, {}],
    ["it is denied, in our own word", { client: "amp-gerd", consent: "denied" }, {}],
    ["a crawler asks", { client: "amp-gerd" }, { "User-Agent": "Googlebot/2.1" }],
  ])("leaves the link as it is written and lends nothing when %s", async (_what, query, headers) => {
    const before = await site.stores.counts();
    expect(await ask(query, headers)).toMatchObject({ status: 200, body: {} });
    expect(await site.stores.counts()).toEqual(before);
  });

  it.each(["", "unknown"])("lends where no consent is required and what is said of it is %j", async (consent) => {
    expect((await ask({ client: `amp-says-${consent}`, consent })).body).toHaveProperty("phoneNumber");
  });

  it.each(["granted", "sufficient", "not_required"])("takes %s for a consent", async (consent) => {
    expect((await ask({ client: `amp-${consent}`, pool: "default/careful", consent })).body).toHaveProperty("phoneNumber");
  });

  it("leaves the link as it is written when no number is free", async () => {
    expect((await ask({ client: "amp-hans", pool: "default/full" })).body).toEqual({ phoneNumber: "+12025554000", formattedPhoneNumber: "+12025554000" });
    expect((await ask({ client: "amp-ines", pool: "default/full" })).body).toEqual({});
  });

  it.each<[string, Record<string, string>, Record<string, string | null>, { status: number; field: string }]>([
    ["a page of somebody else in the cache", {}, { Origin: "https://evil-example.cdn.ampproject.org" }, { status: 403, field: "Origin" }],
    ["the cache's own origin", {}, { Origin: "https://cdn.ampproject.org" }, { status: 403, field: "Origin" }],
    ["a request without Origin, as for an image", { client: "amp-x" }, { Origin: null }, { status: 403, field: "Origin" }],
    ["a pool that the origin is not allowed for", { pool: "default/search" }, {}, { status: 403, field: "Origin" }],
    ["a pool that doesn't exist", { pool: "default/nowhere" }, {}, { status: 404, field: "pool" }],
    ["a pool out of format", { pool: "sales" }, {}, { status: 400, field: "pool" }],
    ["a media element out of format", { mediaElement: "a b" }, {}, { status: 400, field: "mediaElement" }],
    ["a client that is too long", { client: "x".repeat(257) }, {}, { status: 400, field: "client" }],
    ["a variable that AMP did not replace", { client: "amp-x", consent: "CONSENT_STATE" }, {}, { status: 400, field: "consent" }],
  ])("refuses %s, naming the field and lending nothing", async (_what, query, headers, { status, field }) => {
    const before = await site.stores.counts();
    expect(await ask(query, headers)).toMatchObject({ status, body: { status, field } });
    expect(await site.stores.counts()).toEqual(before);
  });

  it("is the only one that a page in a cache may ask", async () => {
    expect((await site.post("/v1/numbers", { pool: "default/sales", mediaElement: "hero" }, { Origin: cached })).status).toBe(403);
    const preflight = await fetch(`${site.url}/v1/amp`, { method: "OPTIONS", headers: { Origin: own, "Access-Control-Request-Headers": "amp-same-origin" } });
    expect(preflight.headers.get("access-control-allow-headers")).toBe("Content-Type");
  });
});

describe("new visitors of AMP pages", () => {
  it("count once for each client, although no token of theirs comes back", async () => {
    const few = await startSite({ spec: { allowedOrigins: [own] }, settings: { newVisitors: { perSecond: 0.001, burst: 2 } } });
    try {
      const first = await ask({ client: "amp-anna" }, {}, few);
      expect((await ask({ client: "amp-anna", mediaElement: "footer" }, {}, few)).body).toEqual(first.body);
      expect((await ask({ client: "amp-bert" }, {}, few)).body).toHaveProperty("phoneNumber");
      expect(await ask({ client: "amp-carl" }, {}, few)).toMatchObject({ status: 200, body: {} });
      expect((await ask({ client: "amp-anna" }, {}, few)).body).toEqual(first.body);
      expect((await few.stores.counts()).leased).toBe(2);
    } finally {
      await few.close();
    }
  });
});
