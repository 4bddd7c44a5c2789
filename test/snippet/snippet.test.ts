import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { launchChromium, type Browser, type BrowserContext, type Page } from "../harness/chromium.ts";
import { eventually } from "../harness/process.ts";
import { startSite, type Site } from "../ingress/site.ts";

const own = "(202) 555-0199";
const leased = /^\(202\) 555-1\d{3}$/;

/** A page of the site around `body`. */
function html(body: string, script = 'data-pool="default/sales"'): string {
  return `<!doctype html><html lang="en"><title>t</title><body>${body}<script src="/dialplane.js" ${script} async></script>`;
}
const link = (attributes = "", text = own) => `<a id="n" href="tel:+12025550199" ${attributes}>${text}</a>`;

const pages = {
  plain: html(link('data-dialplane="banner"')),
  several: html(`
    <p id="a" data-dialplane="banner">Call ${own} today, open 24/7.</p>
    <p id="b" data-dialplane="banner">Call <b>(202)</b> <i>555</i>-0199 <a href="tel:+12025550199">now</a></p>
    <p id="c" data-dialplane="footer"><span>Tel. +1 202-555-0199</span></p>
    <p id="d" data-dialplane="empty"></p>
    <p id="e" data-dialplane="words"><a href="tel:+12025550199">Call us</a></p>
    <p id="f">Not ours: ${own}</p>
    <p id="g" data-dialplane="no good">${own}</p>`),
  late: html(`<main id="app">${link('data-dialplane="banner"')}</main>`),
  hidden: html(`${link('data-dialplane="banner"')}<section hidden id="s"><b id="h" data-dialplane="pricing">${own}</b></section>`),
  consent: html(link('data-dialplane="banner"'), 'data-pool="default/careful" id="tag"'),
  denied: html(link('data-dialplane="banner"'), 'data-pool="default/sales" data-visitor-consent="denied"'),
  typo: html(link('data-dialplane="banner"'), 'data-pool="default/nowhere"'),
  nopool: html(link('data-dialplane="banner"'), ""),
  twice: html(link('data-dialplane="banner"')) + '<script src="/dialplane.js" data-pool="default/sales" async></script>',
} as const;

let browser: Browser;
let site: Site;
let context: BrowserContext;
let page: Page;
let errors: string[];
beforeAll(async () => {
  browser = await launchChromium();
  site = await startSite({ numbers: 500, pages, others: { "default/careful": { consent: "Required" } } });
});
afterAll(async () => {
  await browser.close();
  await site.close();
});
beforeEach(async () => {
  errors = [];
  ({ context, page } = await newDevice());
});
afterEach(async () => {
  site.disturb(null);
  await context.close();
});

async function newDevice(): Promise<{ context: BrowserContext; page: Page }> {
  const fresh = await browser.newContext();
  const opened = await fresh.newPage();
  opened.on("pageerror", (error) => errors.push(error.message));
  return { context: fresh, page: opened };
}

const open = (name: keyof typeof pages, at = page) => at.goto(`${site.url}/page/${name}`);
const text = (selector = "#n", at = page) => at.locator(selector).innerText();
const swapped = (selector = "#n", at = page) =>
  eventually(`${selector} to be swapped`, async () => {
    const shown = await text(selector, at);
    return leased.test(shown) ? shown : undefined;
  });

describe("the snippet", () => {
  it("swaps text and link to a number of the visitor's own, the same on every page and visit", async () => {
    await open("plain");
    const shown = await swapped();
    expect(await page.locator("#n").getAttribute("href")).toBe(`tel:+1${shown.replace(/\D/g, "")}`);
    await open("late");
    expect(await swapped()).toBe(shown);
    const other = await newDevice();
    await open("plain", other.page);
    expect(await swapped("#n", other.page)).not.toBe(shown);
    await other.context.close();
    expect(errors).toEqual([]);
  });

  it("asks once for all elements, and finds numbers inside texts and split over nodes", async () => {
    const requests: string[] = [];
    page.on("request", (request) => requests.push(`${request.method()} ${new URL(request.url()).pathname}`));
    await open("several");
    const number = await swapped("#d");
    expect(await text("#a")).toBe(`Call ${number} today, open 24/7.`);
    expect(await text("#b")).toBe(`Call ${number} now`);
    expect(await page.locator("#b a").getAttribute("href")).toBe(`tel:+1${number.replace(/\D/g, "")}`);
    expect(await text("#c")).toBe(`Tel. ${number}`);
    expect(await text("#e")).toBe("Call us");
    expect(await page.locator("#e a").getAttribute("href")).toBe(`tel:+1${number.replace(/\D/g, "")}`);
    expect(await text("#f")).toBe(`Not ours: ${own}`);
    expect(await text("#g")).toBe(own);
    expect(requests.filter((request) => request === "POST /v1/numbers")).toHaveLength(1);
    expect(requests.filter((request) => request.startsWith("OPTIONS"))).toEqual([]);
  });

  it("swaps elements that come later, and again when the application draws the old number", async () => {
    await open("late");
    const number = await swapped();
    await page.evaluate(`document.querySelector("#app").innerHTML = '<h1 id="x" data-dialplane="late">${own}</h1><h2 id="y" data-dialplane="banner">${own}</h2>'`);
    expect(await text("#y")).toBe(number);
    expect(await swapped("#x")).toBe(number);
    await page.evaluate(`document.querySelector("#y").firstChild.data = "${own}"`);
    expect(await text("#y")).toBe(number);
  });

  it("asks again when a single-page application changes the address", async () => {
    await open("late");
    await swapped();
    const asked = page.waitForRequest((request) => request.url().endsWith("/v1/numbers"));
    await page.evaluate(`history.pushState({}, "", "/page/late/2?utm_source=mail")`);
    expect(((await asked).postDataJSON() as { page: string }).page).toBe(`${site.url}/page/late/2?utm_source=mail`);
  });

  it("doesn't ask for hidden elements until they are shown: asking says that somebody sees it", async () => {
    await open("hidden");
    const number = await swapped();
    const elements = async () => (await site.stores.associations(`+1${number.replace(/\D/g, "")}`)).map(({ mediaElement }) => mediaElement).sort();
    expect(await elements()).toEqual(["banner"]);
    await page.evaluate(`document.querySelector("#s").hidden = false`);
    expect(await swapped("#h")).toBe(number);
    expect(await elements()).toEqual(["banner", "pricing"]);
  });

  it("tells the page by an event on the element", async () => {
    await page.addInitScript(`addEventListener("dialplane:number", ({ target, detail }) => (window.told = { id: target.id, ...detail }))`);
    await open("plain");
    const display = await swapped();
    expect(await page.evaluate("window.told")).toMatchObject({ id: "n", display, mediaElement: "banner", pool: "default/sales", status: "assigned" });
  });

  it("gives the number back and shows the page's own on release, and asks anew on refresh", async () => {
    await open("plain");
    const before = await swapped();
    await page.evaluate("dialplane.release()");
    expect(await text()).toBe(own);
    expect(await page.locator("#n").getAttribute("href")).toBe("tel:+12025550199");
    await page.evaluate("dialplane.refresh()");
    expect(await swapped()).toMatch(leased);
    expect(before).toMatch(leased);
  });

  it("waits for consent where the pool wants it, and remembers nothing until then", async () => {
    await open("consent");
    await page.waitForLoadState("networkidle");
    expect(await text()).toBe(own);
    expect(await page.evaluate("localStorage.length")).toBe(0);
    await page.evaluate(`document.querySelector("#tag").dataset.visitorConsent = "granted"; dialplane.refresh()`);
    await eventually("a number", async () => (await text()) !== own);
    expect(await page.evaluate("localStorage.length")).toBe(1);
  });

  it("is there once when a page loads it twice", async () => {
    const requests: string[] = [];
    page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    await open("twice");
    await swapped();
    await page.waitForTimeout(200);
    expect(requests.filter((path) => path === "/v1/numbers")).toHaveLength(1);
  });

  it("has one stream for all tabs of a device, and another tab takes it over", async () => {
    await open("plain");
    const number = await swapped();
    await expect.poll(openStreams, { message: "the stream", timeout: 10_000 }).toBe(1);
    const second = await context.newPage();
    await open("plain", second);
    expect(await swapped("#n", second)).toBe(number);
    expect(await openStreams()).toBe(1);
    await page.close();
    await expect.poll(openStreams, { message: "the other tab's stream", timeout: 10_000 }).toBe(1);
    await second.close();
    await expect.poll(openStreams, { message: "no stream", timeout: 10_000 }).toBe(0);
  });
});

describe("the page keeps its own number, without an error,", () => {
  it.each<[string, Parameters<Site["disturb"]>[0]]>([
    ["when the service fails", (_request, response) => void response.writeHead(500).end("<h1>oops</h1>")],
    ["when the service is full", (_request, response) => void response.writeHead(503, { "Retry-After": "5" }).end()],
    ["when the service cuts the connection", (request) => void request.socket.destroy()],
    ["when the service answers nonsense", (_request, response) => void response.writeHead(200, { "Content-Type": "application/json" }).end("<html>")],
    ["when the service answers null", (_request, response) => void response.writeHead(200, { "Content-Type": "application/json" }).end("null")],
    ["when the service answers elements of another kind", (_request, response) => void response.writeHead(200).end('{"elements":[{},null,1]}')],
  ])("%s", async (_what, disturbance) => {
    let answered = 0;
    await page.route("**/dialplane.js", async (route) => {
      const response = await route.fetch();
      site.disturb((request, reply) => {
        answered += 1;
        disturbance?.(request, reply);
      });
      await route.fulfill({ response });
    });
    await open("plain");
    await eventually("the service was asked", () => answered > 0);
    await page.waitForTimeout(100);
    expect(await text()).toBe(own);
    expect(await page.locator("#n").getAttribute("href")).toBe("tel:+12025550199");
    expect(errors).toEqual([]);
    await page.evaluate("Promise.all([dialplane.refresh(), dialplane.identify('x'), dialplane.leave(), dialplane.release()])");
    expect(await text()).toBe(own);
    expect(errors).toEqual([]);
  });

  it("when the service is slow, and never breaks what the page does meanwhile", async () => {
    let waiting = 0;
    await page.route("**/dialplane.js", async (route) => {
      const response = await route.fetch();
      site.disturb(() => (waiting += 1));
      await route.fulfill({ response });
    });
    await open("plain");
    await eventually("the service was asked", () => waiting > 0);
    expect(await text()).toBe(own);
    await page.evaluate("dialplane.refresh()");
    expect(await text()).toBe(own);
    expect(errors).toEqual([]);
  });

  it("when the script or the endpoint is blocked", async () => {
    await page.route("**/v1/**", (route) => route.abort("blockedbyclient"));
    await open("plain");
    await page.waitForLoadState("networkidle");
    expect(await text()).toBe(own);
    await page.route("**/dialplane.js", (route) => route.abort("blockedbyclient"));
    await open("plain");
    await page.waitForLoadState("networkidle");
    expect(await text()).toBe(own);
    expect(errors).toEqual([]);
  });

  it.each(["denied", "typo", "nopool"] as const)("on page %s: no consent, an unknown pool, no pool", async (name) => {
    await open(name);
    await page.waitForLoadState("networkidle");
    expect(await text()).toBe(own);
    expect(errors).toEqual([]);
  });

  it("of an origin that the pool doesn't allow", async () => {
    const before = await site.stores.counts();
    await page.goto(`${site.url.replace("127.0.0.1", "localhost")}/page/plain`);
    await page.waitForLoadState("networkidle");
    expect(await text()).toBe(own);
    expect(await site.stores.counts()).toEqual(before);
    expect(errors).toEqual([]);
  });
});

describe("without storage", () => {
  it("swaps all the same, for as long as the page lives", async () => {
    await page.addInitScript(`Object.defineProperty(window, "localStorage", { get() { throw new DOMException("blocked", "SecurityError"); } })`);
    await open("plain");
    await swapped();
    expect(errors).toEqual([]);
  });
});

async function openStreams(): Promise<number> {
  const metrics = await (await fetch(`${site.url}/metrics`)).text();
  return Number(/^dialplane_ingress_open_streams (\d+)$/m.exec(metrics)?.[1]);
}
