import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assertDescribed, description, seen } from "./contract.ts";
import { openStream } from "./event-stream.ts";
import { routesOf } from "./routes.ts";
import { apiToken, personToken, reportToken, startSite, type Site } from "./site.ts";

const banner = { pool: "default/sales", mediaElement: "banner" };
const reader = { Authorization: `Bearer ${apiToken}` };
const long = "x".repeat(17_000);

describe("docs/openapi.json", () => {
  let site: Site;
  let visitor: Record<string, unknown>;
  beforeAll(async () => {
    site = await startSite();
    const { body } = await site.post("/v1/numbers", banner);
    visitor = { visitor: body["visitor"], device: body["device"] };
  });
  afterAll(() => site.close());

  /** @param template the path in the description, where it has a parameter */
  async function get(path: string, headers: Record<string, string> = {}, template?: string): Promise<number> {
    const response = await fetch(site.url + path, { headers });
    const [bare = ""] = (template ?? path).split("?");
    assertDescribed({ method: "GET", path: bare, status: response.status, contentType: response.headers.get("content-type"), body: await response.text() });
    return response.status;
  }

  /** Every way to every answer that a client can bring about; 500 is what nobody can, 503 and 429 have tests of their own. */
  const answers: readonly [string, number, () => Promise<{ readonly status: number } | number>][] = [
    ["POST /v1/numbers", 200, () => site.post("/v1/numbers", { ...banner, ...visitor })],
    ["POST /v1/numbers with elements", 200, () => site.post("/v1/numbers", { elements: [banner], ...visitor })],
    ["POST /v1/numbers of a crawler", 200, () => site.post("/v1/numbers", banner, { "User-Agent": "Googlebot/2.1" })],
    ["POST /v1/numbers", 400, () => site.post("/v1/numbers", {})],
    ["POST /v1/numbers", 403, () => site.post("/v1/numbers", banner, { Origin: "https://evil.example" })],
    ["POST /v1/numbers", 404, () => site.post("/v1/numbers", { ...banner, pool: "default/nowhere" })],
    ["POST /v1/numbers", 413, () => site.post("/v1/numbers", { ...banner, page: long })],
    ["POST /v1/numbers", 415, () => site.post("/v1/numbers", banner, { "Content-Encoding": "gzip" })],
    ["GET /v1/amp", 200, () => get("/v1/amp?pool=default%2Fsales&mediaElement=banner&client=amp-1", { Origin: site.url })],
    ["GET /v1/amp without anybody", 200, () => get("/v1/amp?pool=default%2Fsales&mediaElement=banner", { Origin: site.url })],
    ["GET /v1/amp", 400, () => get("/v1/amp?pool=default%2Fsales", { Origin: site.url })],
    ["GET /v1/amp", 403, () => get("/v1/amp?pool=default%2Fsales&mediaElement=banner")],
    ["GET /v1/amp", 404, () => get("/v1/amp?pool=default%2Fnowhere&mediaElement=banner", { Origin: site.url })],
    ["POST /v1/identify", 200, () => site.post("/v1/identify", { token: personToken("anna"), ...visitor })],
    ["POST /v1/identify without a consent", 200, () => site.post("/v1/identify", { token: personToken("anna"), consent: "denied", ...visitor })],
    ["POST /v1/identify", 400, () => site.post("/v1/identify", {})],
    ["POST /v1/identify", 401, () => site.post("/v1/identify", { token: "forged", ...visitor })],
    ["POST /v1/identify", 403, () => site.post("/v1/identify", {}, { Origin: "https://evil.example" })],
    ["POST /v1/leave", 200, () => site.post("/v1/leave", visitor)],
    ["POST /v1/leave", 400, () => site.post("/v1/leave", {})],
    ["POST /v1/leave", 403, () => site.post("/v1/leave", {}, { Origin: "https://evil.example" })],
    ["POST /v1/release", 204, () => site.post("/v1/release", { pools: [banner.pool], ...visitor })],
    ["POST /v1/release", 400, () => site.post("/v1/release", { pools: [banner.pool] })],
    ["POST /v1/release", 403, () => site.post("/v1/release", {}, { Origin: "https://evil.example" })],
    ["POST /v1/presence", 204, () => site.post("/v1/presence", { state: "online", ...visitor })],
    ["POST /v1/presence", 400, () => site.post("/v1/presence", { state: "asleep", ...visitor })],
    ["POST /v1/presence", 403, () => site.post("/v1/presence", {}, { Origin: "https://evil.example" })],
    ["POST /v1/erasures", 204, () => site.post("/v1/erasures", { caller: "+12025550142" }, { Authorization: `Bearer ${apiToken}` })],
    ["POST /v1/erasures", 400, () => site.post("/v1/erasures", {}, { Authorization: `Bearer ${apiToken}` })],
    ["POST /v1/erasures", 401, () => site.post("/v1/erasures", { caller: "+12025550142" })],
    ["POST /v1/erasures", 403, () => site.post("/v1/erasures", {}, { Origin: "https://evil.example" })],
    ["GET /v1/stream", 400, () => get("/v1/stream?device=forged")],
    ["GET /v1/stream", 403, () => get("/v1/stream", { Origin: "https://evil.example" })],
    ["GET /v1/calls", 200, () => get("/v1/calls", reader)],
    ["GET /v1/calls", 400, () => get("/v1/calls?limit=0", reader)],
    ["GET /v1/calls", 401, () => get("/v1/calls")],
    ["GET /v1/calls", 403, () => get("/v1/calls?caller=%2B1", { Authorization: `Bearer ${reportToken}` })],
    ["GET /v1/calls.csv", 200, () => get("/v1/calls.csv", reader)],
    ["GET /v1/calls.csv", 400, () => get("/v1/calls.csv?after=x", reader)],
    ["GET /v1/calls.csv", 401, () => get("/v1/calls.csv")],
    ["GET /v1/calls/{id}", 401, () => get("/v1/calls/a", {}, "/v1/calls/{id}")],
    ["GET /v1/calls/{id}", 404, () => get("/v1/calls/nobody", reader, "/v1/calls/{id}")],
    ["GET /v1/pools", 200, () => get("/v1/pools", reader)],
    ["GET /v1/pools", 401, () => get("/v1/pools")],
    ["GET /healthz", 200, () => get("/healthz")],
    ["GET /readyz", 200, () => get("/readyz")],
    ["GET /metrics", 200, () => get("/metrics")],
    ["GET /dialplane.js", 200, () => get("/dialplane.js")],
    ["GET /openapi.json", 200, () => get("/openapi.json")],
  ];
  it.each(answers)("describes %s: %d", async (_name, status, ask) => {
    const answer = await ask();
    expect(typeof answer === "number" ? answer : answer.status).toBe(status);
  });

  it("describes the stream", async () => {
    const { body } = await site.post("/v1/numbers", banner);
    const stream = await openStream(site.url, String(body["device"]));
    assertDescribed({ method: "GET", path: "/v1/stream", status: stream.status, contentType: stream.headers.get("content-type"), body: "" });
    stream.close();
    await stream.ended;
  });

  it("describes no operation that the handlers don't answer, and every one was asked", () => {
    const described = Object.entries(description.paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));
    const asked = new Set([...seen].map((name) => name.replace(/ \d+$/, "")));
    expect(described.filter((name) => !asked.has(name))).toEqual([]);
  });

  it("describes every route that there is, and none that is not there", () => {
    const described = Object.entries(description.paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));
    expect(described.sort()).toEqual([...routesOf(site.app)].sort());
  });

  it("is what the service serves", async () => {
    const checkedIn = await readFile(fileURLToPath(new URL("../../docs/openapi.json", import.meta.url)), "utf8");
    expect(await (await fetch(`${site.url}/openapi.json`)).json()).toEqual(JSON.parse(checkedIn));
  });
});

describe("a service at its capacity", () => {
  it("answers 503 with Retry-After at once, before anything is leased, and serves again when it has room", async () => {
    const site = await startSite({ numbers: 50, settings: { maxWaiting: 2 } });
    try {
      const answers = await Promise.all(Array.from({ length: 40 }, () => site.post("/v1/numbers", banner)));
      const refused = answers.filter(({ status }) => status === 503);
      const served = answers.filter(({ status }) => status === 200);
      expect(refused.length).toBeGreaterThan(0);
      expect(served.length + refused.length).toBe(40);
      expect(refused.every(({ headers }) => headers.get("retry-after") === "5")).toBe(true);
      expect((await site.stores.counts()).leased).toBe(served.length);
      expect((await site.post("/v1/numbers", banner)).status).toBe(200);
      const metrics = await (await fetch(`${site.url}/metrics`)).text();
      expect(metrics).toContain(`dialplane_ingress_refused_total{reason="capacity"} ${refused.length}`);
      expect(metrics).toMatch(/^dialplane_ingress_requests_under_way 0$/m);
      // The event loop's delay comes with prom-client's default metrics.
      expect(metrics).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m);
    } finally {
      await site.close();
    }
  });
});
