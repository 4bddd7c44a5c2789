import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { NumberPoolSource } from "../../src/domain/api.generated.ts";
import { eventually } from "../harness/process.ts";
import { openStream } from "./event-stream.ts";
import { personToken, startSite, type Site } from "./site.ts";

/** Pages name default/sales (+12025551...); mail lends +12025552010 and up, search +12025553010 and up. */
const sales = "default/sales";
const source = (name: string, attribute: string, value?: string): NumberPoolSource => ({
  attributes: [value === undefined ? { name: attribute, type: "Exists" } : { name: attribute, type: "Equals", value }],
  poolRef: { name },
});
const lender = { sales: /^\+12025551/, mail: /^\+12025552/, search: /^\+12025553/ };
const short = { leaseSeconds: 1, cooldownSeconds: 900, attributionWindowSeconds: 60, onExhausted: { type: "LeavePage" } } as const;
const number = (place: number) => ({ from: `+1202555${place}010`, to: `+1202555${place}019` });

interface Visitor {
  readonly visitor?: unknown;
  readonly device?: unknown;
}

let site: Site;
async function start(options: { readonly assignment?: typeof short; readonly mail?: object } = {}): Promise<void> {
  const assignment = options.assignment === undefined ? {} : { assignment: options.assignment };
  site = await startSite({
    spec: { sources: [source("mail", "utm_source", "mail"), source("search", "gclid"), source("nowhere", "utm_source", "news"), source("search", "referrer", "search.example")], ...assignment },
    others: {
      "default/mail": { allowedOrigins: [], display: { format: "International" }, ranges: [number(2)], ...assignment, ...options.mail },
      "default/search": { allowedOrigins: [], ranges: [number(3)], ...assignment },
    },
  });
}
afterEach(() => site.close());

async function ask(page: string, who: Visitor = {}, rest: object = {}) {
  const { status, body } = await site.post("/v1/numbers", { pool: sales, mediaElement: "top", page: `https://acme.example${page}`, ...pick(who), ...rest });
  expect(status).toBe(200);
  return { ...pick(body), number: String(body["number"]), pool: body["pool"], display: String(body["display"]), status: body["status"], reason: body["reason"] };
}
const pick = ({ visitor, device }: Visitor) => ({ visitor, device });
const logIn = async (who: Visitor, subject: string) => pick((await site.post("/v1/identify", { token: personToken(subject), ...pick(who) })).body);

describe("the pool that a visit gets its number from", () => {
  beforeEach(() => start());

  it.each<[string, string, object, RegExp]>([
    ["no source: the pool that the page names", "/", {}, lender.sales],
    ["the source that the first entry is about", "/?utm_source=mail", {}, lender.mail],
    ["a click id", "/?gclid=X1", {}, lender.search],
    ["two sources: the entry that comes first decides", "/?gclid=X1&utm_source=mail", {}, lender.mail],
    ["the page the visit began with", "/prices", { landing: "https://acme.example/?gclid=X1" }, lender.search],
    ["where the visitor came from", "/", { referrer: "https://search.example/find?q=secret" }, lender.search],
    ["a pool that isn't in service is passed over", "/?utm_source=news", {}, lender.sales],
    ["what an app says", "/", { attributes: { gclid: "X1" } }, lender.search],
  ])("%s", async (_what, page, rest, expected) => {
    const answer = await ask(page, {}, rest);
    expect(answer).toMatchObject({ status: "assigned", pool: sales });
    expect(answer.number).toMatch(expected);
  });

  it("lends in its own format, while the answer names what the page asked for", async () => {
    expect(await ask("/?utm_source=mail")).toMatchObject({ pool: sales, display: expect.stringMatching(/^\+1 202 555 201\d$/) as string });
  });

  it("does not change while the lease lives, whatever the source of a later page", async () => {
    const first = await ask("/?utm_source=mail");
    expect((await ask("/prices", first)).number).toBe(first.number);
    expect((await ask("/?gclid=X1", first)).number).toBe(first.number);
    const direct = await ask("/");
    expect((await ask("/?gclid=X1", direct)).number).toBe(direct.number);
  });

  it("is the same for every element of a request and for many at once of one visitor", async () => {
    const { visitor, device } = await ask("/", {}, { pool: "default/sales" });
    await site.post("/v1/release", { pools: [sales], visitor, device });
    const pages = ["/?utm_source=mail", "/?gclid=X1", "/", "/?utm_source=mail", "/?gclid=X1"];
    const answers = await Promise.all(pages.map((page, i) => ask(page, { visitor, device }, { mediaElement: `m${i}` })));
    expect(new Set(answers.map((answer) => answer.number)).size).toBe(1);
  });

  it("shows the person's number on the other device, and pushes it there in the lender's format", async () => {
    const phone = await ask("/?utm_source=mail");
    const asAnna = await logIn(phone, "anna");
    const stream = await openStream(site.url, String(asAnna.device));
    await eventually("the phone is online", async () => (await site.stores.online()) === 1);
    const laptop = await ask("/", await logIn({}, "anna"), { mediaElement: "pricing" });
    expect(laptop.number).toBe(phone.number);
    expect(await stream.next("number")).toMatchObject({ pool: sales, mediaElement: "pricing", number: phone.number, display: phone.display });
    await site.post("/v1/release", { pools: [sales], ...pick(laptop) });
    expect(await stream.next("number")).toMatchObject({ pool: sales, status: "unchanged", number: null });
    stream.close();
  });

  it("is the one of the older lease when two devices with numbers of two pools turn out to be one person's", async () => {
    const [phone, laptop] = [await ask("/"), await ask("/?utm_source=mail")];
    const asAnna = await logIn(phone, "anna");
    const joined = await logIn(laptop, "anna");
    expect((await ask("/?utm_source=mail", joined)).number).toBe(phone.number);
    expect((await ask("/?utm_source=mail", asAnna)).number).toBe(phone.number);
  });

  it("gets its number back by the name of the pool that the page names", async () => {
    const { visitor, device } = await ask("/?utm_source=mail");
    expect((await site.stores.counts()).leased).toBe(1);
    expect((await site.post("/v1/release", { pools: [sales], visitor, device })).status).toBe(204);
    expect((await site.stores.counts()).leased).toBe(0);
  });

  it("may not be asked by a page whose origin it doesn't allow", async () => {
    expect((await site.post("/v1/numbers", { pool: "default/mail", mediaElement: "top" })).status).toBe(403);
  });
});

describe("a visitor who comes back after the lease", () => {
  beforeEach(() => start({ assignment: short }));

  it("without a source gets the number of the last one, and with a new source a number of that", async () => {
    const first = await ask("/?utm_source=mail");
    await eventually("the lease has ended", async () => (await site.stores.counts()).leased === 0);
    const again = await ask("/", first);
    expect(again.number).toBe(first.number);
    await eventually("the lease has ended", async () => (await site.stores.counts()).leased === 0);
    expect((await ask("/?gclid=X1", first)).number).toMatch(lender.search);
  });
});

describe("a source whose pool requires consent", () => {
  beforeEach(() => start({ mail: { consent: "Required" } }));

  it("leaves the page as it is without, and doesn't show what was lent with it", async () => {
    expect(await ask("/?utm_source=mail")).toMatchObject({ status: "unchanged", reason: "ConsentRequired", visitor: null });
    const consented = await ask("/?utm_source=mail", {}, { consent: "granted" });
    expect(consented.number).toMatch(lender.mail);
    expect((await ask("/", consented)).number).toMatch(lender.sales);
    expect((await ask("/")).number).toMatch(lender.sales);
  });
});

describe("a source whose pool is exhausted", () => {
  const assignment = { ...short, leaseSeconds: 1800, onExhausted: { type: "Overflow", overflow: { number: "+12025550200" } } } as const;
  beforeEach(() => start({ mail: { ranges: [], numbers: ["+12025552010"], assignment } }));

  it("does what that pool says", async () => {
    expect((await ask("/?utm_source=mail")).number).toMatch(lender.mail);
    expect(await ask("/?utm_source=mail")).toMatchObject({ status: "overflow", number: "+12025550200", display: "+1 202 555 0200" });
    expect(await ask("/")).toMatchObject({ status: "assigned" });
  });
});
