import { connect } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assertDescribed, description } from "./contract.ts";
import { apiToken, personToken, startSite, type Site } from "./site.ts";

/** Requests in one property; the seed of a failure is printed by fast-check. */
const RUNS = 150;
const posts = Object.entries(description.paths).filter(([, item]) => "post" in item).map(([path]) => path);
const gets = Object.entries(description.paths).filter(([, item]) => "get" in item).map(([path]) => path);
const banner = { pool: "default/sales", mediaElement: "banner" };

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.constantFrom("default/sales", "banner", "", "\u0000", "\ud800", "\u202e", "../../etc/passwd", "' or 1=1 --", "${SHELL(id)}", "%00", "__proto__", "x".repeat(5000), "v1.", `v1.${"A".repeat(44)}`, "granted", "online"),
);
const anything = fc.oneof(text, fc.anything({ maxDepth: 2, withNullPrototype: false }).filter(isJson), fc.constantFrom(null, true, 0, -1, 1e308, [], {}));
const fields = ["pool", "mediaElement", "visitor", "device", "page", "attributes", "consent", "elements", "token", "state", "person", "caller", "__proto__", "constructor"];
const hostileBody = fc.dictionary(fc.oneof(fc.constantFrom(...fields), text), anything, { maxKeys: 8 }).map((body) => JSON.stringify(body));
/** Valid requests with one field replaced: what gets furthest. */
const nearlyValid = fc.tuple(fc.constantFrom(...fields), anything).map(([field, value]) => JSON.stringify({ ...banner, state: "online", [field]: value }));
const notJson = fc.oneof(text, hostileBody.map((body) => body.slice(0, -1)), fc.constantFrom("[".repeat(8000), `{"a":${"[".repeat(7000)}`, "\ufeff{}", "NaN", '{"pool":"a","pool":"b"}'));
const body = fc.oneof(hostileBody, nearlyValid, notJson, fc.constant("x".repeat(200_000)));
const contentType = fc.constantFrom("application/json", "text/plain;charset=UTF-8", "application/json; charset=utf-7", "text/html", "multipart/form-data; boundary=x", "application/json;;;=", "");
const origin = fc.constantFrom("own", "https://evil.example", "null", "https://127.0.0.1.evil.example", "file://", "");
const headerText = fc.string({ maxLength: 200 }).map((value) => value.replace(/[^\x21-\x7e]/g, ""));

function isJson(value: unknown): boolean {
  try {
    return typeof (JSON.stringify(value) as string | undefined) === "string";
  } catch {
    return false;
  }
}

describe("hostile requests", () => {
  let site: Site;
  let neighbour: Record<string, unknown>;
  let before: unknown;
  const secrets: string[] = [];
  beforeAll(async () => {
    site = await startSite();
    const { body: known } = await site.post("/v1/numbers", banner);
    neighbour = known;
    secrets.push(...["visitor", "device", "number"].map((field) => String(known[field])));
    before = await site.stores.counts();
  });
  afterAll(() => site.close());

  async function ask(method: "GET" | "POST", path: string, init: { body?: string; headers?: Record<string, string> } = {}): Promise<{ status: number; text: string }> {
    const abort = new AbortController();
    const response = await fetch(site.url + path, { method, signal: abort.signal, ...init });
    if (response.headers.get("content-type")?.startsWith("text/event-stream") === true) {
      abort.abort();
      return { status: response.status, text: "" };
    }
    const answer = await response.text();
    const [bare = ""] = path.split("?");
    assertDescribed({ method, path: bare, status: response.status, contentType: response.headers.get("content-type"), body: answer });
    return { status: response.status, text: answer };
  }

  /** No fault of ours, nothing of the inside, nothing of anybody else. */
  function expectHarmless({ status, text: answer }: { status: number; text: string }): void {
    expect(status).toBeLessThan(500);
    expect(answer).not.toMatch(/node_modules|\.ts:\d|at \S+ \(|postgres|select |syntax error/i);
    for (const secret of secrets) expect(answer).not.toContain(secret);
  }

  it.each(posts)("POST %s answers any body, type and origin without a fault, and leases nothing", async (path) => {
    await fc.assert(
      fc.asyncProperty(body, contentType, origin, headerText, async (content, type, from, junk) => {
        const headers = { "Content-Type": type, Origin: from === "own" ? site.url : from, Cookie: `dp_visitor=${junk}; dp_device=${junk}`, Authorization: `Bearer ${junk}`, "User-Agent": junk };
        const answer = await ask("POST", path, { body: content, headers });
        expectHarmless(answer);
        expect(answer.status).toBeGreaterThanOrEqual(400);
      }),
      { numRuns: RUNS },
    );
    expect(await site.stores.counts()).toEqual(before);
  });

  it.each(gets)("GET %s answers any query and origin without a fault", async (path) => {
    await fc.assert(
      fc.asyncProperty(text, origin, headerText, async (query, from, junk) => {
        expectHarmless(await ask("GET", `${path}?device=${encodeURIComponent(query.toWellFormed())}&${junk}`, { headers: { Origin: from === "own" ? site.url : from, "If-None-Match": junk, "Accept-Encoding": junk } }));
      }),
      { numRuns: path === "/metrics" ? 10 : 40 },
    );
    expect(await site.stores.counts()).toEqual(before);
  });

  it("forged tokens are strangers: one changed character of a real one gives nobody's number", async () => {
    const { visitor, device, number } = neighbour;
    const changed = (token: unknown, at: number) => {
      const whole = String(token);
      return `${whole.slice(0, at)}${whole[at] === "A" ? "B" : "A"}${whole.slice(at + 1)}`;
    };
    for (const at of [3, 5, 12, 24, 36, 45]) {
      expect((await site.post("/v1/release", { pools: [banner.pool], visitor: changed(visitor, at), device: changed(device, at) })).status).toBe(400);
      expect((await site.post("/v1/leave", { device: changed(device, at) })).status).toBe(400);
      expect((await site.post("/v1/erasures", { visitor: changed(visitor, at) }, { Authorization: `Bearer ${apiToken}` })).status).toBe(400);
      expect((await site.post("/v1/identify", { token: changed(personToken("anna"), at + 60), visitor, device })).status).toBe(401);
    }
    // Kinds are not interchangeable either.
    expect((await site.post("/v1/leave", { device: visitor })).status).toBe(400);
    expect(await site.stores.counts()).toEqual(before);
    const stranger = await site.post("/v1/numbers", { ...banner, visitor: changed(visitor, 20), device: changed(device, 20) });
    expect(stranger.body["number"]).not.toBe(number);
    before = await site.stores.counts();
  });

  it.each<[string, string]>([
    ["a flood of headers", `POST /v1/numbers HTTP/1.1\r\nHost: a\r\n${Array.from({ length: 3000 }, (_, i) => `X-${i}: y\r\n`).join("")}\r\n`],
    ["one endless header", `POST /v1/numbers HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(100_000)}\r\n\r\n`],
    ["an endless path", `GET /${"a".repeat(60_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
    ["two lengths", "POST /v1/numbers HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"],
    ["a length and chunks", "POST /v1/numbers HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["no HTTP at all", "\u0016\u0003\u0001\u0002\u0000 hello\r\n\r\n"],
    ["a method nobody knows", "EVIL /v1/numbers HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["a broken escape in the path", "GET /v1/%ff%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"],
  ])("%s is refused or cut off", async (_what, bytes) => {
    const answer = await raw(new URL(site.url).port, bytes);
    expect(answer).toMatch(/^$|^HTTP\/1\.1 4\d\d /);
    expect(answer).not.toMatch(/node_modules|\.ts:\d|at \S+ \(/);
    expect(await site.stores.counts()).toEqual(before);
    expect((await fetch(`${site.url}/healthz`)).status).toBe(200);
  });
});

/** What comes back for these bytes until the other side closes, or the first answer is there. */
function raw(port: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let received = "";
    const socket = connect(Number(port), "127.0.0.1", () => socket.write(bytes));
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
      if (received.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(received));
  });
}
