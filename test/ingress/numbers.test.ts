import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { IngressSettings } from "../../src/ingress/app.ts";
import { personToken, startSite, type Site } from "./site.ts";

const sales = "default/sales";
const matching = (form: RegExp) => expect.stringMatching(form) as string;
const banner = { pool: sales, mediaElement: "banner-spring" };

describe("POST /v1/numbers", () => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite({
      numbers: 50,
      others: {
        "default/careful": { consent: "Required" },
        "default/international": { display: { format: "International" } },
        "default/elsewhere": { allowedOrigins: ["https://elsewhere.example"] },
      },
    });
  });
  afterAll(() => site.close());

  it("leases a number of one's own and keeps it for who comes back", async () => {
    const first = await site.post("/v1/numbers", banner);
    expect(first.status).toBe(200);
    expect(first.headers.get("cache-control")).toBe("no-store");
    expect(first.body).toMatchObject({ status: "assigned", number: matching(/^\+12025551\d{3}$/), display: matching(/^\(202\) 555-1\d{3}$/) });
    expect(first.body["tel"]).toBe(`tel:${String(first.body["number"])}`);
    expect(Date.parse(String(first.body["expiresAt"])) - Date.now()).toBeGreaterThan(1_700_000);
    expect(first.body["expiresIn"]).toBeGreaterThan(1_700_000);
    expect(first.body["expiresIn"]).toBeLessThanOrEqual(1_800_000);
    const { visitor, device, number } = first.body;

    const again = await site.post("/v1/numbers", { ...banner, mediaElement: "footer", visitor, device });
    expect(again.body).toMatchObject({ status: "assigned", number, visitor, device });
    const other = await site.post("/v1/numbers", banner);
    expect(other.body["number"]).not.toBe(number);
    expect(other.body["visitor"]).not.toBe(visitor);
  });

  it("records what was shown where, with the campaign and without what may be personal", async () => {
    const { body } = await site.post("/v1/numbers", {
      ...banner,
      page: "https://acme.example/spring?utm_source=mail&email=anna@example.com",
      attributes: { plan: "gold" },
    });
    expect(await site.stores.associations(String(body["number"]))).toMatchObject([
      { mediaElement: "banner-spring", attributes: { page: "https://acme.example/spring", utm_source: "mail", plan: "gold" } },
    ]);
  });

  it("answers many elements at once, of several pools, each in its pool's format", async () => {
    const { body } = await site.post("/v1/numbers", { elements: [banner, { ...banner, mediaElement: "footer" }, { pool: "default/international", mediaElement: "top" }] });
    const elements = body["elements"] as Record<string, unknown>[];
    expect(elements.map(({ pool, mediaElement, status }) => ({ pool, mediaElement, status }))).toEqual([
      { ...banner, status: "assigned" },
      { ...banner, mediaElement: "footer", status: "assigned" },
      { pool: "default/international", mediaElement: "top", status: "assigned" },
    ]);
    expect(elements[1]?.["number"]).toBe(elements[0]?.["number"]);
    expect(elements[2]?.["display"]).toMatch(/^\+1 202 555 \d{4}$/);
    expect(body).toHaveProperty("visitor");
  });

  it("takes text/plain, which needs no preflight", async () => {
    expect(await site.post("/v1/numbers", banner, { "Content-Type": "text/plain;charset=UTF-8" })).toMatchObject({ status: 200, body: { status: "assigned" } });
  });

  it("serves apps, which send no Origin, without cookies", async () => {
    const answer = await site.post("/v1/numbers", banner, { Origin: null });
    expect(answer).toMatchObject({ status: 200, body: { status: "assigned" } });
    expect(answer.headers.get("set-cookie")).toBeNull();
  });

  it("remembers the visitor in first-party cookies, for pages of the same site only", async () => {
    const answer = await site.post("/v1/numbers", banner, { "Sec-Fetch-Site": "same-site" });
    const cookies = answer.headers.getSetCookie();
    expect(cookies).toHaveLength(2);
    for (const cookie of cookies) expect(cookie).toMatch(/^dp_(visitor|device)=v1\.[\w-]{44}; Path=\/v1; Max-Age=34560000; HttpOnly; SameSite=Lax$/);
    const again = await site.post("/v1/numbers", banner, { Cookie: cookies.map((cookie) => cookie.split(";")[0]).join("; ") });
    expect(again.body["number"]).toBe(answer.body["number"]);
    expect((await site.post("/v1/numbers", banner, { "Sec-Fetch-Site": "cross-site" })).headers.get("set-cookie")).toBeNull();
  });

  it.each<[string, IngressSettings["trustedProxies"], string, boolean]>([
    ["a proxy that is trusted and was reached by HTTPS", ["127.0.0.1"], "https", true],
    ["a proxy that is trusted and was reached by HTTP", ["127.0.0.1"], "http", false],
    ["a proxy that is not trusted", ["192.0.2.1"], "https", false],
    ["anybody, where no proxy is trusted", false, "https", false],
  ])("keeps and removes its cookies for HTTPS alone as %s says", async (_what, trustedProxies, scheme, secure) => {
    const behind = await startSite({ replicaOf: site, settings: { trustedProxies } });
    try {
      const headers = { Origin: behind.url, "Sec-Fetch-Site": "same-origin", "X-Forwarded-Proto": scheme };
      const kept = await behind.post("/v1/numbers", banner, headers);
      const { visitor, device } = kept.body;
      const removed = await behind.post("/v1/release", { pools: [banner.pool], visitor, device, consent: "denied" }, headers);
      const cookies = [...kept.headers.getSetCookie(), ...removed.headers.getSetCookie()];
      expect(cookies.map((one) => one.split("=")[0])).toEqual(["dp_visitor", "dp_device", "dp_visitor", "dp_device"]);
      expect(cookies.map((one) => one.endsWith("; SameSite=Lax; Secure"))).toEqual(Array(4).fill(secure));
      expect(cookies.map((one) => one.includes("Secure"))).toEqual(Array(4).fill(secure));
    } finally {
      await behind.close();
    }
  });

  it.each([
    ["forged", "v1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
    ["cut off", "v1.AAAA"],
    ["empty", ""],
    ["null", null],
    ["hostile", "'; drop table number; --"],
  ])("treats %s tokens as absent: a new visitor, no error", async (_what, token) => {
    const { status, body } = await site.post("/v1/numbers", { ...banner, visitor: token, device: token });
    expect(status).toBe(200);
    expect(body["visitor"]).toMatch(/^v1\./);
    expect(body["visitor"]).not.toBe(token);
  });

  it("takes no visitor token for a device token or the other way round", async () => {
    const { body } = await site.post("/v1/numbers", banner);
    const swapped = await site.post("/v1/numbers", { ...banner, visitor: body["device"], device: body["visitor"] });
    expect(swapped.body["number"]).not.toBe(body["number"]);
  });

  it("lends nothing to who denies, whatever the pool requires, and remembers nobody", async () => {
    const before = await site.stores.counts();
    const { body, headers } = await site.post("/v1/numbers", { ...banner, consent: "denied" }, { "Sec-Fetch-Site": "same-origin" });
    expect(body).toMatchObject({ status: "unchanged", reason: "ConsentRequired", number: null, visitor: null, device: null });
    expect(headers.getSetCookie()).toEqual([]);
    expect(await site.stores.counts()).toEqual(before);
  });

  it("leaves the page as it is without consent where the pool requires it, and remembers nobody", async () => {
    const wanted = { pool: "default/careful", mediaElement: "top" };
    const before = await site.stores.counts();
    for (const consent of [undefined, "denied", null]) {
      const { body } = await site.post("/v1/numbers", { ...wanted, consent });
      expect(body).toMatchObject({ status: "unchanged", reason: "ConsentRequired", number: null, visitor: null, device: null });
      expect(body).not.toHaveProperty("expiresIn");
    }
    expect(await site.stores.counts()).toEqual(before);
    expect((await site.post("/v1/numbers", { ...wanted, consent: "granted" })).body).toMatchObject({ status: "assigned" });
  });

  it("leases for the elements that may and leaves the others, in the order of the request", async () => {
    const { body } = await site.post("/v1/numbers", { elements: [{ pool: "default/careful", mediaElement: "a" }, banner] });
    expect(body["elements"]).toMatchObject([{ status: "unchanged", reason: "ConsentRequired" }, { status: "assigned" }]);
  });

  it("leaves the element of a pool that doesn't exist, and leases for the others of the page", async () => {
    const elements = [{ ...banner, pool: "default/nowhere" }, banner, { pool: "default/international", mediaElement: "top" }];
    const { status, body } = await site.post("/v1/numbers", { elements });
    expect(status).toBe(200);
    expect(body["elements"]).toMatchObject([{ pool: "default/nowhere", status: "unchanged", reason: "UnknownPool", number: null }, { status: "assigned" }, { status: "assigned" }]);
    expect(body["visitor"]).toMatch(/^v1\./);
  });

  it("leaves the page as it is for crawlers, and leases nothing", async () => {
    const before = await site.stores.counts();
    const { body } = await site.post("/v1/numbers", banner, { "User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)" });
    expect(body).toMatchObject({ status: "unchanged", reason: "Crawler", visitor: null });
    expect(await site.stores.counts()).toEqual(before);
  });

  describe("refuses, naming the field and leasing nothing:", () => {
    const long = (length: number) => "x".repeat(length);
    it.each<[string, unknown, string]>([
      ["no JSON", "{", "body"],
      ["an empty body", "", "pool"],
      ["null", "null", "body"],
      ["a list", [], "body"],
      ["a number", "1", "body"],
      ["no pool", { mediaElement: "a" }, "pool"],
      ["a pool that is a number", { ...banner, pool: 1 }, "pool"],
      ["a pool without namespace", { ...banner, pool: "sales" }, "pool"],
      ["a pool in capitals", { ...banner, pool: "Default/Sales" }, "pool"],
      ["a pool with a path", { ...banner, pool: "../../etc/passwd" }, "pool"],
      ["an endless pool", { ...banner, pool: `default/${long(300)}` }, "pool"],
      ["no media element", { pool: sales }, "mediaElement"],
      ["a media element with a space", { ...banner, mediaElement: "a b" }, "mediaElement"],
      ["an empty media element", { ...banner, mediaElement: "" }, "mediaElement"],
      ["a media element that is too long", { ...banner, mediaElement: long(64) }, "mediaElement"],
      ["a media element with NUL", { ...banner, mediaElement: "a\u0000" }, "mediaElement"],
      ["a media element that evaluates in a dialplan", { ...banner, mediaElement: "${SHELL(id)}" }, "mediaElement"],
      ["a visitor that is an object", { ...banner, visitor: {} }, "visitor"],
      ["a device that is too long", { ...banner, device: long(300) }, "device"],
      ["a page that is a list", { ...banner, page: [] }, "page"],
      ["a page that is too long", { ...banner, page: `https://a.example/${long(2048)}` }, "page"],
      ["a landing page that is a number", { ...banner, landing: 1 }, "landing"],
      ["a referrer that is too long", { ...banner, referrer: `https://a.example/${long(2048)}` }, "referrer"],
      ["attributes that are a text", { ...banner, attributes: "a" }, "attributes"],
      ["attributes that are a list", { ...banner, attributes: ["a"] }, "attributes"],
      ["an attribute that is a number", { ...banner, attributes: { a: 1 } }, "attributes.a"],
      ["an attribute that is too long", { ...banner, attributes: { a: long(513) } }, "attributes.a"],
      ["an attribute with NUL", { ...banner, attributes: { a: "\u0000" } }, "attributes.a"],
      ["an attribute with a line break", { ...banner, attributes: { a: "a\nb" } }, "attributes.a"],
      ["an attribute with half a surrogate pair", { ...banner, attributes: { a: "\ud800" } }, "attributes.a"],
      ["an attribute's name out of format", { ...banner, attributes: { "a b": "c" } }, "attributes.a b"],
      ["attributes that are too long together", { ...banner, attributes: Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`a${i}`, long(512)])) }, "attributes"],
      ["too many attributes", { ...banner, attributes: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`a${i}`, "b"])) }, "attributes"],
      ["a consent that is a yes", { ...banner, consent: "yes" }, "consent"],
      ["a field nobody knows", { ...banner, colour: "red" }, "colour"],
      ["__proto__", '{"pool":"default/sales","mediaElement":"a","__proto__":{"x":1}}', "__proto__"],
      ["elements that are no list", { elements: "a" }, "elements"],
      ["no elements", { elements: [] }, "elements"],
      ["too many elements", { elements: Array.from({ length: 33 }, () => banner) }, "elements"],
      ["elements and an element", { ...banner, elements: [banner] }, "pool"],
      ["an element out of format among others", { elements: [banner, { ...banner, mediaElement: "?" }] }, "elements[1].mediaElement"],
      ["an element that is null", { elements: [null] }, "elements[0]"],
      ["an element with a field nobody knows", { elements: [{ ...banner, x: 1 }] }, "elements[0].x"],
    ])("%s", async (_what, body, field) => {
      const before = await site.stores.counts();
      const answer = await site.post("/v1/numbers", body);
      expect(answer).toMatchObject({ status: 400, body: { status: 400, title: "The request is not valid", field } });
      expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
      expect(answer.headers.get("cache-control")).toBe("no-store");
      expect(JSON.stringify(answer.body)).not.toMatch(/node_modules|at \w+ \(|\.ts:/);
      expect(await site.stores.counts()).toEqual(before);
    });

    it.each<[string, unknown, Record<string, string | null>, { status: number; field: string }]>([
      ["a body beyond 16 kB", { ...banner, attributes: { a: "x".repeat(17_000) } }, {}, { status: 413, field: "body" }],
      ["a form", "pool=default%2Fsales", { "Content-Type": "application/x-www-form-urlencoded" }, { status: 400, field: "body" }],
      ["a compressed body", banner, { "Content-Encoding": "gzip" }, { status: 415, field: "body" }],
      ["another charset", banner, { "Content-Type": "application/json; charset=iso-8859-1" }, { status: 415, field: "body" }],
      ["a pool that doesn't exist", { ...banner, pool: "default/nowhere" }, {}, { status: 404, field: "pool" }],
      ["nothing but pools that don't exist", { elements: [{ ...banner, pool: "default/never" }, { ...banner, pool: "default/nowhere" }] }, {}, { status: 404, field: "elements[0].pool" }],
      ["a pool that doesn't exist and one of another origin", { elements: [{ ...banner, pool: "default/nowhere" }, { ...banner, pool: "default/elsewhere" }] }, {}, { status: 403, field: "Origin" }],
      ["a foreign origin", banner, { Origin: "https://evil.example" }, { status: 403, field: "Origin" }],
      ["the origin null", banner, { Origin: "null" }, { status: 403, field: "Origin" }],
      ["an origin that only begins the same", banner, { Origin: "http://127.0.0.1" }, { status: 403, field: "Origin" }],
      ["an origin that another pool allows", banner, { Origin: "https://elsewhere.example" }, { status: 403, field: "Origin" }],
      ["a pool of another origin among one's own", { elements: [banner, { ...banner, pool: "default/elsewhere" }] }, {}, { status: 403, field: "Origin" }],
    ])("%s", async (_what, body, headers, { status, field }) => {
      const before = await site.stores.counts();
      const answer = await site.post("/v1/numbers", body, headers);
      expect(answer).toMatchObject({ status, body: { status, field } });
      expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
      expect(await site.stores.counts()).toEqual(before);
    });
  });

  it("tells all faults at once", async () => {
    const { body } = await site.post("/v1/numbers", { pool: 1, mediaElement: 2, page: 3 });
    expect((body["errors"] as { field: string }[]).map(({ field }) => field)).toEqual(["pool", "mediaElement", "page"]);
  });

  it("answers preflights of allowed origins only", async () => {
    const preflight = (origin: string) =>
      fetch(`${site.url}/v1/numbers`, { method: "OPTIONS", headers: { Origin: origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type" } });
    const own = await preflight(site.url);
    expect(own.status).toBe(204);
    expect(own.headers.get("access-control-allow-origin")).toBe(site.url);
    expect(own.headers.get("access-control-allow-headers")).toBe("Content-Type");
    const foreign = await preflight("https://evil.example");
    expect(foreign.status).toBe(403);
    expect(foreign.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("an exhausted pool", () => {
  it("leaves the page's number: success with another status", async () => {
    const site = await startSite({ numbers: 1 });
    try {
      const first = await site.post("/v1/numbers", banner);
      const { status, body } = await site.post("/v1/numbers", banner);
      expect(status).toBe(200);
      expect(body).toMatchObject({ status: "unchanged", reason: "Exhausted", number: null, display: null, tel: null, expiresAt: null, expiresIn: 300_000 });
      expect(body["visitor"]).toMatch(/^v1\./);
      const { visitor, device, number } = first.body;
      expect((await site.post("/v1/numbers", { ...banner, visitor, device })).body).toMatchObject({ status: "assigned", number });
    } finally {
      await site.close();
    }
  });

  it("shows the overflow number, which is nobody's own, where the pool says so", async () => {
    const assignment = {
      leaseSeconds: 1800,
      cooldownSeconds: 900,
      attributionWindowSeconds: 60,
      onExhausted: { type: "Overflow", overflow: { number: "+12025550100" } },
    } as const;
    const site = await startSite({ numbers: 1, spec: { assignment } });
    try {
      await site.post("/v1/numbers", banner);
      const { body } = await site.post("/v1/numbers", banner);
      expect(body).toMatchObject({ status: "overflow", number: "+12025550100", display: "(202) 555-0100", expiresAt: null, expiresIn: 1_800_000 });
    } finally {
      await site.close();
    }
  });
});

describe("many visitors at once", () => {
  it("get as many different numbers as there are, and the rest keep the page's", async () => {
    const site = await startSite({ numbers: 60 });
    try {
      const answers = await Promise.all(Array.from({ length: 80 }, () => site.post("/v1/numbers", banner)));
      const numbers = answers.map(({ body }) => body["number"]).filter((number) => number !== null);
      expect(new Set(numbers).size).toBe(60);
      expect(numbers).toHaveLength(60);
      expect(answers.filter(({ body }) => body["reason"] === "Exhausted")).toHaveLength(20);
    } finally {
      await site.close();
    }
  });
});

describe("floods", () => {
  const clients = ["198.51.100.1", "198.51.100.2", "198.51.100.3"];
  it.each<[string, readonly string[] | false, readonly string[], number]>([
    ["counts by the connection's address, whatever X-Forwarded-For says", false, clients, 1],
    ["believes a proxy that is trusted: each client has a limit of its own", ["127.0.0.1"], clients, 3],
    ["takes no port that a proxy adds for another client", ["127.0.0.1"], ["198.51.100.1:1001", "198.51.100.1:1002", "198.51.100.2:1001"], 2],
  ])("%s", async (_what, trustedProxies, from, served) => {
    const site = await startSite({ settings: { rateLimit: { perSecond: 0.001, burst: 1 }, trustedProxies } });
    try {
      const statuses: number[] = [];
      for (const client of from) statuses.push((await site.post("/v1/numbers", banner, { "X-Forwarded-For": client })).status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(served);
      expect(statuses.filter((status) => status === 429)).toHaveLength(3 - served);
    } finally {
      await site.close();
    }
  });

  it("count four elements as a request: each may be a row that is kept", async () => {
    const site = await startSite({ settings: { rateLimit: { perSecond: 0.001, burst: 4 } } });
    try {
      const elements = Array.from({ length: 9 }, (_, n) => ({ pool: banner.pool, mediaElement: `part-${n}` }));
      const statuses = [];
      for (const body of [{ elements }, banner, banner]) statuses.push((await site.post("/v1/numbers", body)).status);
      expect(statuses).toEqual([200, 200, 429]);
    } finally {
      await site.close();
    }
  });

  it("of new visitors from one address leave the pool its numbers: the page keeps its own, and who was here before gets theirs", async () => {
    const site = await startSite({ settings: { newVisitors: { perSecond: 0.001, burst: 2 } }, others: { "default/careful": { consent: "Required" } } });
    try {
      // What would lend nothing anyway counts for nothing.
      await site.post("/v1/numbers", banner, { "User-Agent": "Googlebot/2.1" });
      await site.post("/v1/numbers", { ...banner, pool: "default/careful" });
      const [first, second] = [await site.post("/v1/numbers", banner), await site.post("/v1/numbers", banner)];
      expect([first.body["status"], second.body["status"]]).toEqual(["assigned", "assigned"]);
      for (const device of [undefined, "v1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]) {
        const { status, body } = await site.post("/v1/numbers", { ...banner, visitor: first.body["visitor"], device });
        expect(status).toBe(200);
        expect(body).toMatchObject({ status: "unchanged", reason: "TooManyNewVisitors", number: null, expiresIn: 300_000, visitor: null, device: null });
      }
      expect(await site.stores.counts()).toMatchObject({ leased: 2, prospects: 2, devices: 2 });
      const { visitor, device, number } = first.body;
      expect((await site.post("/v1/numbers", { ...banner, visitor, device })).body).toMatchObject({ status: "assigned", number });
      expect(await (await fetch(`${site.url}/metrics`)).text()).toContain('dialplane_ingress_refused_total{reason="new-visitors"} 2');
    } finally {
      await site.close();
    }
  });

  it("of people who log in on devices that were never here count as well, and those who come back do not", async () => {
    const site = await startSite({ settings: { newVisitors: { perSecond: 0.001, burst: 3 } } });
    try {
      const { visitor, device } = (await site.post("/v1/numbers", banner)).body;
      const token = personToken("mallory");
      const answers = [];
      for (let i = 0; i < 4; i += 1) answers.push(await site.post("/v1/identify", { token }));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 429, 429]);
      expect(await site.stores.counts()).toMatchObject({ prospects: 3, devices: 3 });
      expect((await site.post("/v1/identify", { token, visitor, device })).status).toBe(200);
      // Neither of these would make a device.
      expect((await site.post("/v1/identify", { token, consent: "denied" })).status).toBe(200);
      expect((await site.post("/v1/identify", { token: "forged" })).status).toBe(401);
      expect((await site.post("/v1/numbers", banner)).body).toMatchObject({ reason: "TooManyNewVisitors" });
    } finally {
      await site.close();
    }
  });

  it("of devices that leave to be new again are answered with 429", async () => {
    const site = await startSite({ settings: { newVisitors: { perSecond: 0.001, burst: 2 } } });
    try {
      let { visitor, device } = (await site.post("/v1/numbers", banner)).body;
      const statuses: number[] = [];
      for (let i = 0; i < 4; i += 1) {
        const left = await site.post("/v1/leave", { visitor, device });
        statuses.push(left.status);
        if (left.status === 200) ({ visitor, device } = left.body);
        await site.post("/v1/numbers", { ...banner, visitor, device });
      }
      expect(statuses).toEqual([200, 200, 429, 429]);
      expect((await site.stores.counts()).leased).toBe(3);
    } finally {
      await site.close();
    }
  });

  it("are answered with 429 and a time to wait, and lease nothing", async () => {
    const site = await startSite({ settings: { rateLimit: { perSecond: 1, burst: 2 } } });
    try {
      const answers = [];
      for (let i = 0; i < 4; i += 1) answers.push(await site.post("/v1/numbers", banner));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 429, 429]);
      expect(answers[3]?.headers.get("retry-after")).toBe("1");
      expect((await site.stores.counts()).leased).toBe(2);
    } finally {
      await site.close();
    }
  });
});
