import { once } from "node:events";
import { connect } from "node:net";
import pg from "pg";
import { afterEach, describe, expect, it } from "vitest";
import { eventually } from "../harness/process.ts";
import { startSite, type Site } from "./site.ts";

const banner = { pool: "default/sales", mediaElement: "banner" };
let end: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of end.reverse()) await step();
  end = [];
});

async function siteWith(settings: Parameters<typeof startSite>[0] & object): Promise<Site> {
  const site = await startSite(settings);
  end.push(() => site.close());
  return site;
}

/** Until `release`, every claim waits in the database. */
async function lockNumbers(site: Site): Promise<{ release(): Promise<unknown> }> {
  const client = new pg.Client({ connectionString: site.stores.url });
  await client.connect();
  end.push(() => client.end());
  await client.query("begin");
  await client.query("lock table number in access exclusive mode");
  return { release: () => client.query("rollback") };
}

async function waitUntilUnderWay(site: Site, count: number): Promise<void> {
  await eventually(`${count} requests are under way`, async () => {
    const metrics = await (await fetch(`${site.url}/metrics`)).text();
    return metrics.includes(`dialplane_ingress_requests_under_way ${count}\n`);
  });
}

/** What is answered to the head of a request whose body never comes. */
async function answerToHeadAlone(site: Site, path: string): Promise<string> {
  const socket = connect(Number(new URL(site.url).port), "127.0.0.1").setEncoding("utf8");
  end.push(() => Promise.resolve(socket.destroy()));
  socket.write(`POST ${path} HTTP/1.1\r\nHost: calls.acme.example\r\nOrigin: ${site.url}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n`);
  const [text] = (await once(socket, "data", { signal: AbortSignal.timeout(10_000) })) as [string];
  return text;
}

/** A request whose head was taken and whose body comes in two halves: the service asks for the body in the turn in which it looks at the head. */
async function halfSent(site: Site): Promise<{ finish(): Promise<string> }> {
  const body = JSON.stringify(banner);
  const socket = connect(Number(new URL(site.url).port), "127.0.0.1").setEncoding("utf8");
  end.push(() => Promise.resolve(socket.destroy()));
  const answer = async () => ((await once(socket, "data", { signal: AbortSignal.timeout(10_000) })) as [string])[0];
  const head = `POST /v1/numbers HTTP/1.1\r\nHost: calls.acme.example\r\nOrigin: ${site.url}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`;
  socket.write(head + body.slice(0, 10));
  expect(await answer()).toBe("HTTP/1.1 100 Continue\r\n\r\n");
  return {
    finish: () => {
      socket.write(body.slice(10));
      return answer();
    },
  };
}

describe("more requests than the service takes at once", () => {
  it("is nothing that clients who send slowly count as", async () => {
    const site = await siteWith({ settings: { maxWaiting: 3 } });
    const slow = [await halfSent(site), await halfSent(site), await halfSent(site)];
    expect((await site.post("/v1/numbers", banner)).status).toBe(200);
    for (const one of slow) expect(await one.finish()).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("is nothing that clients who went away count as", async () => {
    const site = await siteWith({ settings: { maxWaiting: 3 } });
    const numbers = await lockNumbers(site);
    const abort = new AbortController();
    const request = { method: "POST", headers: { Origin: site.url, "Content-Type": "application/json" }, body: JSON.stringify(banner), signal: abort.signal };
    const gone = Promise.allSettled(Array.from({ length: 3 }, () => fetch(`${site.url}/v1/numbers`, request)));
    await waitUntilUnderWay(site, 3);
    abort.abort();
    expect((await gone).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    await numbers.release();
    await waitUntilUnderWay(site, 0);
    expect((await site.post("/v1/numbers", banner)).status).toBe(200);
  });

  it("is nothing that open streams count as, however their address is written", async () => {
    const site = await siteWith({ numbers: 50, settings: { maxWaiting: 3 } });
    const { device } = (await site.post("/v1/numbers", banner)).body as { device: string };
    for (const path of ["/v1/stream", "/v1/stream/", "/v1/Stream", "/V1/STREAM/"]) {
      const stream = await fetch(`${site.url}${path}?device=${device}`, { headers: { Origin: site.url } });
      expect([path, stream.status, stream.headers.get("content-type")?.split(";")[0]]).toEqual([path, 200, "text/event-stream"]);
      end.push(async () => stream.body?.cancel());
    }
    expect((await site.post("/v1/numbers", banner)).status).toBe(200);
    await waitUntilUnderWay(site, 0);
  });

  it("are refused from their head alone, readable for pages of the site, while those taken are served and nothing else is leased", async () => {
    const site = await siteWith({ numbers: 50, settings: { maxWaiting: 3 } });
    const numbers = await lockNumbers(site);
    const taken = Array.from({ length: 3 }, () => site.post("/v1/numbers", banner));
    await waitUntilUnderWay(site, 3);

    for (const path of ["/v1/numbers", "/v1/identify", "/v1/presence"]) {
      const head = await answerToHeadAlone(site, path);
      expect(head).toMatch(/^HTTP\/1\.1 503 /);
      expect(head.toLowerCase()).toContain("\r\nretry-after: 5\r\n");
      expect(head.toLowerCase()).toContain(`\r\naccess-control-allow-origin: ${site.url}\r\n`);
    }
    const refused = await Promise.all(Array.from({ length: 20 }, () => site.post("/v1/numbers", banner)));
    for (const { status, headers, body } of refused) {
      expect({ status, type: headers.get("content-type"), cache: headers.get("cache-control"), body }).toEqual({
        status: 503,
        type: "application/problem+json; charset=utf-8",
        cache: "no-store",
        body: { title: "Try again later", status: 503, detail: "the service is at its capacity" },
      });
    }
    const foreign = await site.post("/v1/numbers", banner, { Origin: "https://foreign.example" });
    expect([foreign.status, foreign.headers.get("access-control-allow-origin")]).toEqual([503, null]);
    // Neither health nor the script waits for room.
    for (const path of ["/healthz", "/metrics", "/dialplane.js"]) expect((await fetch(site.url + path)).status).toBe(200);

    await numbers.release();
    expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([200, 200, 200]);
    await waitUntilUnderWay(site, 0);
    expect((await site.stores.counts()).leased).toBe(3);
    expect((await site.post("/v1/numbers", banner)).status).toBe(200);
  });
});

describe("a database that does not answer", () => {
  it("costs a page no more than the time it may take, and numbers come again as soon as it does", async () => {
    const site = await siteWith({ settings: { answerWithinMilliseconds: 200 } });
    const numbers = await lockNumbers(site);
    const answers = await Promise.all([1, 2, 3].map(() => site.post("/v1/numbers", banner)));
    expect(answers.map(({ status, headers }) => [status, headers.get("retry-after")])).toEqual(Array(3).fill([503, "5"]));
    await numbers.release();
    await eventually("a number", async () => (await site.post("/v1/numbers", banner)).status === 200);
  });
});
