import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../harness/process.ts";
import { openStream, type TestStream } from "./event-stream.ts";
import { personToken, startSite, type Site } from "./site.ts";

const pool = "default/sales";

interface Device {
  readonly visitor: unknown;
  readonly device: string;
  readonly number: unknown;
}

let site: Site;
const streams: TestStream[] = [];
const cleanUps: (() => void)[] = [];
beforeEach(async () => {
  site = await startSite();
});
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.close();
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
  await site.close();
});

/** In milliseconds: a lease, and what a renewal promises beyond it. */
const aroundHalfAnHour = () => expect.toSatisfy((milliseconds: number) => milliseconds > 1_700_000 && milliseconds <= 1_890_000) as number;

async function ask(who: Partial<Device> = {}, mediaElement = "banner-spring", at = site): Promise<Device> {
  const { body } = await at.post("/v1/numbers", { pool, mediaElement, visitor: who.visitor, device: who.device });
  return { visitor: body["visitor"], device: String(body["device"]), number: body["number"] };
}

async function logIn(who: Device, subject: string, at = site): Promise<Device> {
  const { body } = await at.post("/v1/identify", { token: personToken(subject), visitor: who.visitor, device: who.device });
  return { ...who, visitor: body["visitor"], device: String(body["device"]) };
}

async function online(who: Device, at = site): Promise<TestStream> {
  const stream = await openStream(at.url, who.device);
  streams.push(stream);
  await eventually("the device is online", async () => (await site.stores.online()) >= streams.length);
  return stream;
}

describe("one person with two devices", () => {
  it("gets the same number on both; with the second media element it is pushed to the other device, which is recorded as online", async () => {
    const phone = await logIn(await ask(), "anna");
    const fresh = await ask();
    expect(fresh.number).not.toBe(phone.number);
    const laptop = await logIn(fresh, "anna");
    expect((await ask(laptop)).number).toBe(phone.number);

    const stream = await online(phone);
    const second = await ask(laptop, "pricing");
    expect(second.number).toBe(phone.number);
    expect(await stream.next("number")).toMatchObject({ pool, mediaElement: "pricing", number: phone.number, status: "assigned", tel: `tel:${String(phone.number)}`, expiresIn: aroundHalfAnHour() });
    expect((await site.stores.associations(String(phone.number))).find(({ mediaElement }) => mediaElement === "pricing")).toMatchObject({
      otherDevicesOnline: [site.stores.idOf(phone.device)],
    });
    expect((await ask(phone, "pricing")).number).toBe(phone.number);
  });

  it("whose other device is not online gets the number there as soon as it asks", async () => {
    const phone = await logIn(await ask(), "anna");
    const laptop = await logIn(await ask(), "anna");
    expect((await ask(laptop, "pricing")).number).toBe(phone.number);
    expect((await site.stores.associations(String(phone.number))).find(({ mediaElement }) => mediaElement === "pricing")).toMatchObject({ otherDevicesOnline: [] });
    expect((await ask(phone, "pricing")).number).toBe(phone.number);
  });

  it("is reached through another replica of ingress", async () => {
    const replica = await startSite({ replicaOf: site });
    try {
      const phone = await logIn(await ask(), "anna");
      const laptop = await logIn(await ask(), "anna");
      const stream = await online(phone, replica);
      await ask(laptop, "pricing");
      expect(await stream.next("number")).toMatchObject({ mediaElement: "pricing", number: phone.number });
    } finally {
      for (const stream of streams) stream.close();
      await replica.close();
    }
  });
});

describe("one person on two sites of one company", () => {
  const [foreign, elsewhere] = ["default/foreign", { Origin: "https://b.example" }];
  let both: Site;
  let here: Device;
  let there: Device;
  beforeEach(async () => {
    both = await startSite({ others: { [foreign]: { allowedOrigins: [elsewhere.Origin], ranges: [{ from: "+12025556010", to: "+12025556019" }] } } });
    here = await logIn(await ask({}, "banner-spring", both), "carl", both);
    const { body } = await both.post("/v1/identify", { token: personToken("carl") }, elsewhere);
    there = { visitor: body["visitor"], device: String(body["device"]), number: null };
  });
  afterEach(() => both.close());

  const askThere = async () => (await both.post("/v1/numbers", { pool: foreign, mediaElement: "secret-offer", visitor: there.visitor, device: there.device }, elsewhere)).body;

  it.each<[string, Record<string, string>, boolean]>([
    ["a page of the first hears nothing of the second's", {}, false],
    ["nor does one of the service's own origin, of which the browser says where it is only", { Origin: "", Referer: "{url}/page?utm=1" }, false],
    ["a page of the second does", elsewhere, true],
    ["so does an app, which may ask for whatever pool", { Origin: "" }, true],
    ["and a page that hides where it is", { Origin: "", Referer: "https://unknown.example/" }, true],
  ])("%s", async (_what, headers, hears) => {
    const sent = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace("{url}", both.url)]));
    const stream = await listenAs(here.device, sent);
    expect(await askThere()).toMatchObject({ status: "assigned" });
    if (hears) expect(await stream.next("number")).toMatchObject({ pool: foreign, mediaElement: "secret-offer" });
    await both.settled();
    expect(stream.text().includes("event: number")).toBe(hears);
  });

  async function listenAs(device: string, headers: Record<string, string>): Promise<TestStream> {
    const stream = await openStream(both.url, device, headers);
    streams.push(stream);
    await eventually("it is online", async () => (await both.stores.online()) === 1);
    return stream;
  }

  it("a release gives back what the page may ask for, and leaves the rest alone", async () => {
    await askThere();
    const release = { pools: [pool, foreign], visitor: here.visitor, device: here.device, consent: "denied" };
    const { status, headers } = await both.post("/v1/release", release, { "Sec-Fetch-Site": "same-origin" });
    expect([status, headers.getSetCookie().length]).toEqual([204, 2]);
    expect((await both.stores.counts()).leased).toBe(1);
    expect(await askThere()).toMatchObject({ status: "assigned" });
  });
});

describe("a device that goes from one replica to another", () => {
  it("stays online, although the first replica sees its stream end after the second saw the next one begin", async () => {
    const replica = await startSite({ replicaOf: site });
    try {
      const [phone, other] = [await ask(), await ask()];
      const old = await online(phone);
      const next = await openStream(replica.url, phone.device);
      streams.push(next);
      await eventually("the second replica wrote it", () => next.text().startsWith("retry:"));
      await replica.settled();
      old.close();
      // The first replica writes in order: when the other device's end is written, the phone's would be.
      const marker = await openStream(site.url, other.device);
      await eventually("both are online", async () => (await site.stores.online()) === 2);
      marker.close();
      await eventually("the other device is offline", async () => (await site.stores.online()) < 2);
      expect(await site.stores.online()).toBe(1);
      next.close();
      await eventually("the phone is offline", async () => (await site.stores.online()) === 0);
    } finally {
      for (const stream of streams) stream.close();
      await replica.close();
    }
  });
});

describe("two people", () => {
  it("stay apart, and nothing is pushed from one to the other", async () => {
    const anna = await logIn(await ask(), "anna");
    const ben = await logIn(await ask(), "ben");
    const stream = await online(anna);
    const shown = await ask(ben, "pricing");
    expect(shown.number).not.toBe(anna.number);
    await ask(anna, "pricing");
    await site.settled();
    expect(stream.text()).not.toContain("event:");
  });

  it("on one computer get different numbers when the first logs out", async () => {
    const anna = await logIn(await ask(), "anna");
    const { status, body } = await site.post("/v1/leave", { visitor: anna.visitor, device: anna.device });
    expect(status).toBe(200);
    expect(body["visitor"]).not.toBe(anna.visitor);
    const next = await ask({ visitor: body["visitor"], device: anna.device });
    expect(next.number).not.toBe(anna.number);
    // A page that still has the old visitor token, but is the same device, is the new person all the same.
    expect((await ask(anna)).number).toBe(next.number);
  });
});

describe("POST /v1/identify", () => {
  it.each([
    ["an expired token", () => personToken("anna", -61), 401],
    ["a forged token", () => `${personToken("anna").slice(0, -4)}AAAA`, 401],
    ["something else", () => "hello", 401],
    ["an empty token", () => "", 401],
    ["no token", () => undefined, 400],
    ["a number", () => 1, 400],
    ["something as long as the longest token", () => "x".repeat(4557), 401],
    ["something longer", () => "x".repeat(4558), 400],
    ["an endless token", () => "x".repeat(5000), 400],
  ])("refuses %s, naming the field and joining nobody", async (_what, token, status) => {
    const who = await ask();
    const answer = await site.post("/v1/identify", { token: token(), visitor: who.visitor, device: who.device });
    expect(answer).toMatchObject({ status, body: { status, field: "token" } });
    expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect((await ask(who)).number).toBe(who.number);
  });

  it("makes a visitor of who has no tokens or forged ones", async () => {
    const phone = await logIn(await ask(), "anna");
    const { status, body } = await site.post("/v1/identify", { token: personToken("anna"), visitor: "forged", device: "forged" });
    expect(status).toBe(200);
    expect((await ask({ visitor: body["visitor"], device: String(body["device"]) })).number).toBe(phone.number);
  });

  it.each<[string, object, object, boolean]>([
    ["without a word, where no pool wants a consent", {}, {}, true],
    ["who consented", { consent: "granted" }, {}, true],
    ["nobody who said no", { consent: "denied" }, {}, false],
    ["nobody who said nothing where a pool for this page wants a consent", {}, { consent: "Required" }, false],
    ["who consented where a pool wants it", { consent: "granted" }, { consent: "Required" }, true],
    ["without a word, where only a pool for other pages wants a consent", {}, { consent: "Required", allowedOrigins: ["https://elsewhere.example"] }, true],
  ])("remembers %s", async (_what, consent, other, remembered) => {
    const careful = await startSite({ others: { "default/careful": { ranges: [], ...other } } });
    try {
      const before = await careful.stores.counts();
      const answer = await careful.post("/v1/identify", { token: personToken("anna"), ...consent }, { "Sec-Fetch-Site": "same-origin" });
      const token = remembered ? (expect.stringMatching(/^v1\./) as string) : null;
      expect(answer).toMatchObject({ status: 200, body: { visitor: token, device: token } });
      expect(answer.headers.getSetCookie()).toHaveLength(remembered ? 2 : 0);
      if (!remembered) expect(await careful.stores.counts()).toEqual(before);
      // Apps send no Origin; they know which pools are theirs.
      const app = await careful.post("/v1/identify", { token: personToken("bea"), ...consent }, { Origin: null });
      expect(app.body["visitor"] === null).toBe("consent" in consent && !remembered);
    } finally {
      await careful.close();
    }
  });

  it("refuses a forged token whatever is said about a consent", async () => {
    expect(await site.post("/v1/identify", { token: "forged", consent: "denied" })).toMatchObject({ status: 401, body: { field: "token" } });
  });

  it("is closed to foreign pages", async () => {
    const answer = await site.post("/v1/identify", { token: personToken("anna") }, { Origin: "https://evil.example" });
    expect(answer).toMatchObject({ status: 403, body: { field: "Origin" } });
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("GET /v1/stream", () => {
  it("is what online means, and says when to come back", async () => {
    const stream = await online(await ask());
    expect(stream.status).toBe(200);
    expect(stream.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(stream.headers.get("cache-control")).toContain("no-store");
    await eventually("the first line", () => /^retry: [1-4]\d{3}\n\n/.test(stream.text()));
    stream.close();
    await eventually("the device is offline", async () => (await site.stores.online()) === 0);
  });

  it("keeps a device online as long as one of its streams is open", async () => {
    const who = await ask();
    const first = await openStream(site.url, who.device);
    const second = await openStream(site.url, who.device);
    first.close();
    await site.settled();
    expect(await site.stores.online()).toBe(1);
    second.close();
    await eventually("the device is offline", async () => (await site.stores.online()) === 0);
  });

  it.each([
    ["no device", "", 400],
    ["a forged device", "v1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 400],
  ])("refuses %s, naming the field", async (_what, device, status) => {
    const stream = await openStream(site.url, device);
    await stream.ended;
    expect(stream.status).toBe(status);
    expect(JSON.parse(stream.text())).toMatchObject({ status, field: "device" });
  });

  it("refuses a visitor token in the place of a device token, and foreign pages", async () => {
    const who = await ask();
    expect((await openStream(site.url, String(who.visitor))).status).toBe(400);
    expect((await openStream(site.url, who.device, { Origin: "https://evil.example" })).status).toBe(403);
    expect(await site.stores.online()).toBe(0);
  });

  it("is opened by GET alone: HEAD makes nobody online", async () => {
    const who = await ask();
    const answer = await fetch(`${site.url}/v1/stream?device=${who.device}`, { method: "HEAD", headers: { Origin: site.url } });
    expect(answer.status).toBe(404);
    await site.settled();
    expect(await site.stores.online()).toBe(0);
  });

  it("is bounded for one device", async () => {
    const who = await ask();
    const opened = [];
    for (let i = 0; i < 9; i += 1) opened.push(await openStream(site.url, who.device));
    expect(opened.map(({ status }) => status)).toEqual([...Array.from({ length: 8 }, () => 200), 429]);
    for (const stream of opened) stream.close();
  });

  it("ends when the service stops, after which the device is offline", async () => {
    const stream = await online(await ask());
    const replica = await startSite({ replicaOf: site });
    const there = await openStream(replica.url, (await ask()).device);
    await eventually("both are online", async () => (await site.stores.online()) === 2);
    await replica.close();
    await there.ended;
    expect(await site.stores.online()).toBe(1);
    stream.close();
  });
});

describe("a device that vanishes without a word", () => {
  const quick = { streams: { maxStreams: 10, maxStreamsPerDevice: 8, keepAliveSeconds: 1, maxSeconds: 1 } };
  let replica: Site;
  beforeEach(async () => {
    replica = await startSite({ replicaOf: site, settings: quick });
  });
  afterEach(async () => {
    for (const stream of streams) stream.close();
    await replica.close();
  });

  it("is offline although its connection was never closed: it is asked for the next stream, opens none, and this one is ended", async () => {
    const { way, silence } = await startWay(replica.url);
    const stream = await openStream(way, (await ask()).device, { Origin: replica.url });
    streams.push(stream);
    await eventually("the device is online", async () => (await site.stores.online()) === 1);
    silence();
    await eventually("the device is offline", async () => (await site.stores.online()) === 0, 30_000);
    // Nothing of it reached the device.
    expect(stream.text()).not.toContain("again");
  });

  it("is not one that opens the next stream when it is asked: that one stays online and hears what is pushed", async () => {
    const phone = await logIn(await ask(), "anna");
    const laptop = await logIn(await ask(), "anna");
    const first = await openStream(replica.url, phone.device);
    streams.push(first);
    await eventually("it is asked", () => first.text().includes("event: again\ndata:\n\n"));
    const second = await openStream(site.url, phone.device);
    streams.push(second);
    await eventually("the next stream is open", () => second.text().startsWith("retry:"));
    first.close();
    await eventually("the old one is closed", async () => (await (await fetch(`${replica.url}/metrics`)).text()).includes("dialplane_ingress_open_streams 0"));
    await replica.settled();
    expect(await site.stores.online()).toBe(1);
    await ask(laptop, "pricing");
    expect(await second.next("number")).toMatchObject({ mediaElement: "pricing", number: phone.number });
  });
});

/** A way to the service that can fall silent: what is sent then is swallowed, and no connection is closed, as when a network is gone. */
async function startWay(url: string): Promise<{ readonly way: string; readonly silence: () => void }> {
  let silent = false;
  const { hostname, port } = new URL(url);
  const open: Socket[] = [];
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    open.push(client, upstream);
    for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
      from.on("data", (chunk: Buffer) => silent || to.write(chunk)).on("error", () => undefined);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUps.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { way: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, silence: () => (silent = true) };
}

describe("what a device says about itself", () => {
  it("POST /v1/presence: counts as online for a while, or as gone, told in JSON or as sendBeacon sends it", async () => {
    const who = await ask();
    expect((await site.post("/v1/presence", { device: who.device, state: "online" })).status).toBe(204);
    await eventually("the device is online", async () => (await site.stores.online()) === 1);
    const beacon = JSON.stringify({ device: who.device, state: "leaving" });
    expect((await site.post("/v1/presence", beacon, { "Content-Type": "text/plain;charset=UTF-8" })).status).toBe(204);
    await eventually("the device is offline", async () => (await site.stores.online()) === 0);
  });

  it("POST /v1/release: the number cools down, and nobody gets it meanwhile", async () => {
    const who = await ask();
    expect((await site.post("/v1/release", { pools: [pool], visitor: who.visitor, device: who.device })).status).toBe(204);
    expect((await site.stores.counts()).leased).toBe(0);
    expect((await ask()).number).not.toBe(who.number);
  });

  it.each<[string, string, (phone: Device, at: Site) => Promise<object>]>([
    ["a stranger may have it after the cool-down", "assigned", () => Promise.resolve({})],
    ["but not while another device of the person was promised it, which may be asleep", "unchanged", async (phone, at) => {
      await logIn(phone, "anna", at);
      const laptop = await logIn({ visitor: undefined, device: "", number: null }, "anna", at);
      expect((await ask(laptop, "pricing", at)).number).toBe(phone.number);
      return {};
    }],
    ["nor while pages of other origins, or in AMP format, may show it, which know the device by its cookie", "unchanged", (phone) => Promise.resolve({ Cookie: `dp_device=${phone.device}` })],
  ])("POST /v1/release: %s", async (_what, status, meanwhile) => {
    const small = await startSite({ numbers: 1, spec: { assignment: { leaseSeconds: 1800, cooldownSeconds: 0, attributionWindowSeconds: 2_592_000, onExhausted: { type: "LeavePage" } } } });
    try {
      const phone = await ask({}, "banner-spring", small);
      const release = { pools: [pool], visitor: phone.visitor, device: phone.device };
      const headers = await meanwhile(phone, small);
      expect((await small.post("/v1/release", release, { ...headers })).status).toBe(204);
      expect((await small.stores.counts()).leased).toBe(0);
      expect((await small.post("/v1/numbers", { pool, mediaElement: "banner-spring" })).body["status"]).toBe(status);
    } finally {
      await small.close();
    }
  });

  it("POST /v1/release: has the browser remove its cookies when a consent is taken back, and only then", async () => {
    const who = await ask();
    const release = { pools: [pool], visitor: who.visitor, device: who.device };
    const cookiesOf = async (consent: object, headers: object) => (await site.post("/v1/release", { ...release, ...consent }, { ...headers })).headers.getSetCookie();
    const own = { "Sec-Fetch-Site": "same-origin" };
    expect(await cookiesOf({}, own)).toEqual([]);
    expect(await cookiesOf({ consent: "granted" }, own)).toEqual([]);
    const expired = "Path=/v1; Max-Age=0; HttpOnly; SameSite=Lax";
    expect(await cookiesOf({ consent: "denied" }, own)).toEqual([`dp_visitor=; ${expired}`, `dp_device=; ${expired}`]);
    expect(await cookiesOf({ consent: "denied" }, { "Sec-Fetch-Site": "cross-site" })).toEqual([]);
  });

  it("POST /v1/release: tells the person's other devices of each media element, and nobody else", async () => {
    const phone = await logIn(await ask(), "anna");
    const laptop = await logIn(await ask(), "anna");
    for (const mediaElement of ["banner-spring", "pricing"]) await ask(phone, mediaElement);
    const ben = await logIn(await ask(), "ben");
    const [own, other, foreign] = [await online(phone), await online(laptop), await online(ben)];
    const release = { pools: [pool], visitor: phone.visitor, device: phone.device };
    expect((await site.post("/v1/release", release)).status).toBe(204);
    const given = [await other.next("number"), await other.next("number")].sort((one, next) => String(one["mediaElement"]).localeCompare(String(next["mediaElement"])));
    const unchanged = { pool, status: "unchanged", number: null, display: null, tel: null, expiresAt: null, reason: "Released" };
    expect(given).toEqual([{ ...unchanged, mediaElement: "banner-spring" }, { ...unchanged, mediaElement: "pricing" }]);
    // There is nothing more to give back, so there is nothing more to tell.
    expect((await site.post("/v1/release", release)).status).toBe(204);
    await site.settled();
    expect(other.text().match(/event: number/g)).toHaveLength(2);
    for (const stream of [own, foreign]) expect(stream.text()).not.toContain("event: number");
  });

  it("POST /v1/release: tells at most 16 devices of at most 32 media elements", async () => {
    const phone = await logIn(await ask(), "anna");
    const elements = Array.from({ length: 40 }, (_, i) => ({ pool, mediaElement: `part-${i}` }));
    for (const some of [elements.slice(0, 20), elements.slice(20)]) await site.post("/v1/numbers", { elements: some, visitor: phone.visitor, device: phone.device });
    const open: TestStream[] = [];
    for (let i = 0; i < 18; i += 1) open.push(await online(await logIn(await ask(), "anna")));
    await site.post("/v1/release", { pools: [pool], visitor: phone.visitor, device: phone.device });
    const told = () => open.map((stream) => (stream.text().match(/"Released"/g) ?? []).length).filter((times) => times > 0);
    await eventually("16 are told", () => told().filter((times) => times === 32).length === 16);
    await site.settled();
    expect(told()).toEqual(Array(16).fill(32));
  });

  it("POST /v1/release: gives nothing back when the page may not ask one of the pools", async () => {
    const who = await ask();
    const tokens = { visitor: who.visitor, device: who.device };
    expect((await site.post("/v1/release", { pools: [pool], ...tokens }, { Origin: "https://elsewhere.example" })).status).toBe(403);
    expect((await site.stores.counts()).leased).toBe(1);
  });

  it("POST /v1/release: a pool that doesn't exist keeps no number of the others", async () => {
    const who = await ask();
    expect((await site.post("/v1/release", { pools: ["default/nowhere", pool], visitor: who.visitor, device: who.device })).status).toBe(204);
    expect((await site.stores.counts()).leased).toBe(0);
  });

  it("POST /v1/release: gives the number of a pool back that was removed meanwhile, and nobody else's", async () => {
    const [who, other] = [await ask(), await ask()];
    expect(other.number).not.toBe(who.number);
    await site.stores.apply(new Map());
    const later = await startSite({ replicaOf: site, without: [pool], others: { "default/late": {} } });
    try {
      expect((await later.post("/v1/release", { pools: [pool], visitor: who.visitor, device: who.device })).status).toBe(204);
      expect((await site.stores.counts()).leased).toBe(1);
    } finally {
      await later.close();
    }
  });

  it.each([
    ["/v1/presence", { state: "asleep" }, 400, "state"],
    ["/v1/presence", { state: "online" }, 400, "device"],
    ["/v1/presence", { state: "online", device: "forged" }, 400, "device"],
    ["/v1/release", { pools: [pool] }, 400, "device"],
    ["/v1/release", { pools: [pool, "?"] }, 400, "pools[1]"],
    ["/v1/release", { pools: [] }, 400, "pools"],
    ["/v1/release", { pools: Array(101).fill(pool) }, 400, "pools"],
    ["/v1/release", { pools: [pool, "default/nowhere"] }, 400, "device"],
    ["/v1/release", { pool }, 400, "pools"],
    ["/v1/leave", { device: "forged" }, 400, "device"],
    ["/v1/leave", { device: 1 }, 400, "device"],
    ["/v1/leave", { person: "anna" }, 400, "person"],
  ])("%s %j is refused with %i, naming %s", async (path, body, status, field) => {
    expect(await site.post(path, body)).toMatchObject({ status, body: { status, field } });
  });
});

describe("everything else", () => {
  it.each([
    ["GET", "/v1/numbers"],
    ["GET", "/nothing"],
    ["DELETE", "/v1/stream"],
    ["GET", "/%ff"],
    ["GET", "/v1/../../etc/passwd"],
  ])("%s %s is a problem without a stack trace", async (method, path) => {
    const response = await fetch(site.url + path, { method });
    expect([400, 404]).toContain(response.status);
    expect(response.headers.get("x-powered-by")).toBeNull();
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await response.text()).not.toMatch(/node_modules|at \w+ \(/);
  });

  it("health, readiness and metrics answer", async () => {
    await ask();
    expect((await fetch(`${site.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${site.url}/readyz`)).status).toBe(200);
    const metrics = await (await fetch(`${site.url}/metrics`)).text();
    expect(metrics).toContain('dialplane_ingress_elements_total{status="assigned"} 1');
    expect(metrics).toContain("dialplane_ingress_numbers_seconds_count 1");
  });

  it("the snippet is served compressed, cacheable, to every page, under 3 kB", async () => {
    const response = await fetch(`${site.url}/dialplane.js`, { headers: { "Accept-Encoding": "gzip" } });
    expect(response.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(response.headers.get("cache-control")).toContain("max-age=3600");
    expect(Number(response.headers.get("content-length") ?? "0")).toBeLessThan(3000);
    expect(await response.text()).toMatch(/^\(\(\)=>\{/);
    const etag = response.headers.get("etag") ?? "";
    expect((await fetch(`${site.url}/dialplane.js`, { headers: { "If-None-Match": etag } })).status).toBe(304);
  });

  it.each([
    ["gzip, deflate, br, zstd", "br"],
    ["br;q=0.9, gzip;q=1", "br"],
    ["gzip, br;q=0", "gzip"],
    ["deflate, gzip;q=1.0, *;q=0", "gzip"],
    ["identity", null],
    ["", null],
  ])("the snippet for Accept-Encoding %j is compressed by %s", async (accepted, encoding) => {
    const response = await fetch(`${site.url}/dialplane.js`, { headers: { "Accept-Encoding": accepted } });
    expect(response.headers.get("content-encoding")).toBe(encoding);
    expect(response.headers.get("vary")).toBe("Accept-Encoding");
    expect(await response.text()).toMatch(/^\(\(\)=>\{/);
  });
});
