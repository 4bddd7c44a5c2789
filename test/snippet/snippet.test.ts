import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Route } from "playwright-core";
import { launchChromium, type Browser, type BrowserContext, type Page } from "../harness/chromium.ts";
import { eventually } from "../harness/process.ts";
import { openStreams as streamsAt } from "../ingress/replicas.ts";
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
  many: html(Array.from({ length: 40 }, (_, i) => `<p class="many" data-dialplane="part-${i}">${own}</p>`).join("")),
  late: html(`<main id="app">${link('data-dialplane="banner"')}</main>`),
  hidden: html(`${link('data-dialplane="banner"')}<section hidden id="s"><b id="h" data-dialplane="pricing">${own}</b></section>`),
  consent: html(link('data-dialplane="banner"'), 'data-pool="default/careful" id="tag"'),
  denied: html(link('data-dialplane="banner"'), 'data-pool="default/sales" data-visitor-consent="denied"'),
  typo: html(link('data-dialplane="banner"'), 'data-pool="default/nowhere"'),
  nopool: html(link('data-dialplane="banner"'), ""),
  rtl: `<!doctype html><html lang="ar" dir="rtl"><meta charset="utf-8"><title>t</title><body>
    <p id="n" data-dialplane="banner">اتصل بنا على الرقم ${own} اليوم</p>
    <p id="arabic" data-dialplane="footer">هاتف: ٢٠٢-٥٥٥-٠١٩٩</p>
    <p id="marked" data-dialplane="marked">هاتف \u2066${own}\u2069</p>
    <p id="left" dir="ltr" data-dialplane="left">Call ${own}</p>
    <p id="empty" data-dialplane="empty"></p>
    <script src="/dialplane.js" data-pool="default/sales" async></script>`,
  csp: `<!doctype html><html lang="en"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'nonce-R4nd0m'; connect-src 'self'; img-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"><title>t</title><body>
    <script nonce="R4nd0m">addEventListener("securitypolicyviolation", ({ violatedDirective }) => (window.violated = violatedDirective))</script>
    ${link('data-dialplane="banner"')}<p id="e" data-dialplane="empty"></p><script nonce="R4nd0m" src="/dialplane.js" data-pool="default/sales" async></script>`,
  unreachable: `<!doctype html><html lang="en"><meta http-equiv="Content-Security-Policy" content="script-src 'self'; connect-src 'none'"><title>t</title><body>
    ${link('data-dialplane="banner"')}<script src="/dialplane.js" data-pool="default/sales" async></script>`,
  // Stored by some proxy as another visitor's browser showed it.
  frozen: html('<a id="n" data-dialplane="banner" href="tel:+12025551499">(202) 555-1499</a>'),
  print: html(`<style>@media print { #n { display: none } } @media screen { #paper { display: none } }</style>
    ${link('data-dialplane="banner"')}<p id="paper" data-dialplane="paper">Call ${own}</p>`),
  pools: html(`${link('data-dialplane="banner"')}<p id="e" data-dialplane="help" data-pool="default/support"></p>`),
  around: html(`<a id="n" href="TEL:+12025550199">Call <span id="s" data-dialplane="banner">${own}</span></a>`),
  shared: html(`<a id="n" href="tel:+12025550199"><b id="s" data-dialplane="banner">${own}</b> <i id="i" data-dialplane="help" data-pool="default/support">${own}</i></a>`),
  nested: html(`<footer id="n" data-dialplane="footer">${own} <a id="inner" data-dialplane="help" data-pool="default/support" href="tel:+12025550199">help</a></footer>`),
  twice: html(link('data-dialplane="banner"')) + '<script src="/dialplane.js" data-pool="default/sales" async></script>',
} as const;

let browser: Browser;
let site: Site;
let context: BrowserContext;
let page: Page;
let errors: string[];
beforeAll(async () => {
  browser = await launchChromium();
  site = await startSite({ numbers: 500, pages, others: { "default/careful": { consent: "Required" }, "default/support": { ranges: [{ from: "+12025553010", to: "+12025553019" }] } } });
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
const isThere = () => page.evaluate<boolean>("window.dialplane !== undefined");
const ofService = (answer: string) => answer.startsWith("/v1/");
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

  it("asks for more than fits one request as one visitor, also one whose tokens the service doesn't accept any more", async () => {
    const asked: string[] = [];
    page.on("request", (request) => request.url().endsWith("/v1/numbers") && asked.push(request.postData() ?? ""));
    await page.addInitScript(`localStorage.dialplane ??= '{"visitor":"forgotten","device":"forgotten"}'`);
    await open("many");
    const shown = await eventually("all to be swapped", async () => {
      const texts = await page.locator(".many").allInnerTexts();
      return texts.every((number) => leased.test(number)) ? texts : undefined;
    });
    expect(new Set(shown).size).toBe(1);
    expect(asked.map((body) => (JSON.parse(body) as { elements: unknown[] }).elements.length)).toEqual([32, 8]);
    expect(errors).toEqual([]);
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
    const back = page.waitForRequest((request) => request.url().endsWith("/v1/numbers"));
    await page.evaluate("history.back()");
    expect(((await back).postDataJSON() as { page: string }).page).toBe(`${site.url}/page/late`);
  });

  it("says on every page where the visit came from, and forgets it with the next visit", async () => {
    const asked = async (go: () => Promise<unknown>) => {
      const request = page.waitForRequest((one) => one.url().endsWith("/v1/numbers"));
      await go();
      const { landing, referrer } = (await request).postDataJSON() as Record<string, string>;
      await swapped();
      return { landing, referrer };
    };
    const first = { landing: `${site.url}/page/late?utm_source=mail`, referrer: "https://mail.example/" };
    expect(await asked(() => page.goto(first.landing, { referer: first.referrer }))).toEqual(first);
    expect(await asked(() => page.evaluate(`location.href = "/page/plain"`))).toEqual(first);
    expect(await asked(() => page.reload())).toEqual(first);
    const next = { landing: `${site.url}/page/plain`, referrer: "https://search.example/" };
    expect(await asked(() => page.goto(next.landing, { referer: next.referrer }))).toEqual(next);
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

  it("swaps a link around the element as well, and gives it back", async () => {
    await open("around");
    const number = await swapped("#s");
    expect(await text()).toBe(`Call ${number}`);
    expect(await page.locator("#n").getAttribute("href")).toBe(`tel:+1${number.replace(/\D/g, "")}`);
    await page.evaluate("dialplane.release()");
    expect(await page.locator("#n").getAttribute("href")).toBe("TEL:+12025550199");
  });

  it("doesn't change one link for two elements in turn, for ever", async () => {
    await open("shared");
    await swapped("#s");
    await eventually("the other pool's number", async () => (await text("#i")).startsWith("(202) 555-30"));
    expect(await page.locator("#n").getAttribute("href")).toMatch(/^tel:\+1202555[13]0/);
    expect(errors).toEqual([]);
  });

  it("asks for nothing in a tab in the background, or drawn in advance, until it is looked at", async () => {
    const requests: string[] = [];
    page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    await page.addInitScript(`Object.defineProperty(document, "hidden", { get: () => !window.lookedAt })`);
    await open("plain");
    await page.waitForLoadState("networkidle");
    expect(await text()).toBe(own);
    expect(requests.filter((path) => path.startsWith("/v1/"))).toEqual([]);
    await page.evaluate(`window.lookedAt = true; document.dispatchEvent(new Event("visibilitychange", { bubbles: true }))`);
    await swapped();
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

  it("gives the page's own number back as the page wrote it last", async () => {
    await open("plain");
    await swapped();
    await page.evaluate(`document.querySelector("#n").textContent = "(303) 555-0142"; document.querySelector("#n").setAttribute("href", "tel:+13035550142")`);
    await swapped();
    expect(await page.locator("#n").getAttribute("href")).not.toBe("tel:+13035550142");
    await page.evaluate("dialplane.release()");
    expect(await text()).toBe("(303) 555-0142");
    expect(await page.locator("#n").getAttribute("href")).toBe("tel:+13035550142");
  });

  it("gives the page's own number back in copies of swapped elements as well", async () => {
    await open("plain");
    await swapped();
    await page.evaluate(`document.body.append(document.querySelector("#n").cloneNode(true))`);
    await page.evaluate("dialplane.release()");
    const copies = page.locator("[data-dialplane]");
    expect(await copies.allInnerTexts()).toEqual([own, own]);
    for (const copy of await copies.all()) expect(await copy.getAttribute("href")).toBe("tel:+12025550199");
  });

  it("gives the numbers of all pools of the page back by one request", async () => {
    await open("pools");
    await swapped();
    expect(await eventually("the other pool's number", () => text("#e"))).toMatch(/^\(202\) 555-30/);
    const leasedBefore = (await site.stores.counts()).leased;
    const answer = page.waitForResponse((response) => response.url().endsWith("/v1/release"));
    await page.evaluate("dialplane.release()");
    expect((await answer).status()).toBe(204);
    expect((await answer).request().postDataJSON()).toMatchObject({ pools: ["default/sales", "default/support"] });
    expect((await site.stores.counts()).leased).toBe(leasedBefore - 2);
    expect(await text("#e")).toBe("");
    await page.evaluate("dialplane.refresh()");
    expect(await text("#e")).toMatch(/^\(202\) 555-30/);
  });

  it("tells the service nothing on release when nothing was shown", async () => {
    const requests: string[] = [];
    page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    await open("denied");
    await page.waitForFunction("window.dialplane");
    await page.evaluate("dialplane.release()");
    expect(requests.filter((path) => path.startsWith("/v1/"))).toEqual([]);
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

  it("gives the numbers back when the visitor takes a consent back, and hears of no more", async () => {
    await open("consent");
    await page.evaluate(`document.querySelector("#tag").dataset.visitorConsent = "granted"; dialplane.refresh()`);
    await eventually("a number", async () => (await text()) !== own);
    await eventually("the stream is open", async () => (await openStreams()) === 1);
    const released = page.waitForRequest("**/v1/release");
    await page.evaluate(`document.querySelector("#tag").dataset.visitorConsent = "denied"; dialplane.refresh()`);
    await released;
    expect(await text()).toBe(own);
    await eventually("the stream is closed", async () => (await openStreams()) === 0);
  });

  it("removes what it kept, and has the cookies removed, when the visitor takes a consent back", async () => {
    await open("consent");
    await page.evaluate(`document.querySelector("#tag").dataset.visitorConsent = "granted"; dialplane.refresh()`);
    await eventually("a number", async () => (await text()) !== own);
    expect(await kept()).toEqual({ local: 1, session: 1, cookies: ["dp_device", "dp_visitor"] });
    await page.evaluate(`document.querySelector("#tag").dataset.visitorConsent = "denied"; dialplane.refresh()`);
    expect(await kept()).toEqual({ local: 0, session: 0, cookies: [] });
    expect(errors).toEqual([]);
  });

  it("removes what an earlier page kept when the visitor has said no since", async () => {
    await open("plain");
    await swapped();
    await open("denied");
    await page.waitForFunction("window.dialplane");
    await eventually("nothing is kept", async () => (await kept()).local === 0);
    expect(await kept()).toMatchObject({ local: 0, session: 0 });
  });

  it("keeps who this is on a release without a word about consent", async () => {
    await open("plain");
    await swapped();
    await page.evaluate("dialplane.release()");
    expect(await kept()).toEqual({ local: 1, session: 1, cookies: ["dp_device", "dp_visitor"] });
  });

  it("tells nobody who logged in when the visitor has said no", async () => {
    const requests: string[] = [];
    page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    await open("denied");
    await page.waitForFunction("window.dialplane");
    await page.evaluate("Promise.all([dialplane.identify('x'), dialplane.leave()])");
    expect(requests.filter((path) => path.startsWith("/v1/"))).toEqual([]);
  });

  it("says the consent with who logged in, without which nobody is remembered where a pool wants it", async () => {
    const identify = `fetch("/demo/token?subject=petra").then((answer) => answer.json()).then(({ token }) => dialplane.identify(token))`;
    const before = await site.stores.counts();
    await open("consent");
    await page.waitForFunction("window.dialplane");
    await page.evaluate(identify);
    expect(await text()).toBe(own);
    expect(await kept()).toEqual({ local: 0, session: 0, cookies: [] });
    expect(await site.stores.counts()).toEqual(before);
    await page.evaluate(`document.querySelector("#tag").dataset.visitorConsent = "granted"`);
    const asked = page.waitForRequest("**/v1/identify");
    await page.evaluate(identify);
    expect((await asked).postDataJSON()).toMatchObject({ consent: "granted" });
    expect(await kept()).toMatchObject({ local: 1, cookies: ["dp_device", "dp_visitor"] });
    expect(await text()).not.toBe(own);
  });

  it("asks for nothing more after a release, whatever the page's address becomes, however long it is looked at and whoever logs in or out", async () => {
    const requests: string[] = [];
    page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    await page.clock.install();
    await open("plain");
    await swapped();
    await page.evaluate("dialplane.release()");
    await page.evaluate(`history.pushState({}, "", "/page/other")`);
    await page.clock.runFor(1_000);
    await page.clock.fastForward("02:00");
    expect(await text()).toBe(own);
    expect(requests.filter((path) => path === "/v1/numbers")).toHaveLength(1);
    await page.evaluate(`fetch("/demo/token?subject=olga").then((answer) => answer.json()).then(({ token }) => dialplane.identify(token))`);
    await page.evaluate("dialplane.leave()");
    expect(requests.filter((path) => path === "/v1/identify" || path === "/v1/leave")).toHaveLength(2);
    expect(await text()).toBe(own);
    expect(requests.filter((path) => path === "/v1/numbers")).toHaveLength(1);
    await page.evaluate("dialplane.refresh()");
    await swapped();
  });

  it("leaves a marked element within another to that one, instead of changing what both hold in turn", async () => {
    const asked: unknown[] = [];
    page.on("request", (request) => request.url().endsWith("/v1/numbers") && asked.push(...(request.postDataJSON() as { elements: { mediaElement: string }[] }).elements.map((one) => one.mediaElement)));
    await open("nested");
    const number = await eventually("the footer's number", async () => /^\(202\) 555-1\d{3}/.exec(await text())?.[0]);
    expect(await page.locator("#inner").getAttribute("href")).toBe(`tel:+1${number.replace(/\D/g, "")}`);
    expect(asked).toEqual(["footer"]);
  });

  it("shows the page's own number after the lease, as when the computer slept, until the service answers again", async () => {
    await page.clock.install();
    await open("plain");
    const number = await swapped();
    let asked = 0;
    site.disturb((_request, response) => {
      asked += 1;
      response.writeHead(503).end();
    });
    await page.clock.fastForward("05:00:00");
    await eventually("its own number is back", async () => asked > 0 && (await text()) === own);
    site.disturb(null);
    await page.clock.fastForward("01:01");
    expect(await swapped()).toBe(number);
    expect(errors).toEqual([]);
  });

  it.each([
    ["three hours behind", -3],
    ["right", 0],
    ["five hours ahead", 5],
  ])("knows when a lease is over by a clock that is %s", async (_what, hours) => {
    await page.clock.install({ time: Date.now() + hours * 3_600_000 });
    await open("plain");
    const number = await swapped();
    site.disturb((_request, response) => void response.writeHead(503).end());
    await page.clock.fastForward("28:00");
    expect(await text()).toBe(number);
    await page.clock.fastForward("03:00");
    expect(await text()).toBe(own);
    site.disturb(null);
    await page.clock.fastForward("01:01");
    expect(await swapped()).toBe(number);
    expect(errors).toEqual([]);
  });

  it.each<[string, (route: Route) => Promise<void>]>([
    ["the service is full", (route) => route.fulfill({ status: 503, headers: { "Retry-After": "5" } })],
    ["too many asked", (route) => route.fulfill({ status: 429, headers: { "Retry-After": "1" } })],
    ["there is no answer", (route) => route.abort("connectionrefused")],
  ])("asks again after a minute, until it is answered, when %s", async (_what, refuse) => {
    let refused = 0;
    await page.route("**/v1/numbers", (route) => {
      refused += 1;
      return refuse(route);
    });
    await page.clock.install();
    await open("plain");
    for (const times of [1, 2, 3]) {
      await eventually(`it was refused ${times} times`, () => refused === times);
      await page.clock.fastForward("01:01");
    }
    await eventually("the last time", () => refused === 4);
    expect(await text()).toBe(own);
    await page.unroute("**/v1/numbers");
    await page.clock.fastForward("01:01");
    await swapped();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.clock.fastForward("05:00");
    expect(asked.filter((url) => url.endsWith("/v1/numbers"))).toEqual([]);
    expect(errors).toEqual([]);
  });

  it("doesn't ask again, minute by minute, for what it was answered to leave as it is", async () => {
    const requests: string[] = [];
    page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    await page.clock.install();
    await open("consent");
    await page.waitForLoadState("networkidle");
    await page.clock.fastForward("05:00");
    expect(requests.filter((path) => path === "/v1/numbers")).toHaveLength(1);
  });

  it("shows the page's own number to who comes next when the service can't be asked, and asks again after a minute", async () => {
    await page.clock.install();
    await open("plain");
    const before = await swapped();
    await page.route("**/v1/numbers", (route) => route.fulfill({ status: 503 }));
    await page.evaluate("dialplane.leave()");
    expect(await text()).toBe(own);
    expect(await page.locator("#n").getAttribute("href")).toBe("tel:+12025550199");
    await page.unroute("**/v1/numbers");
    await page.clock.fastForward("01:01");
    expect(await swapped()).not.toBe(before);
    expect(errors).toEqual([]);
  });

  it("leaves the number until the next person's is there, without a flicker, whatever the page changes meanwhile", async () => {
    await open("plain");
    const before = await swapped();
    let seen: string[] = [];
    await page.route("**/v1/numbers", async (route) => {
      await page.evaluate(`document.body.append("more")`);
      seen = [await text(), ...seen];
      await route.continue();
    });
    await page.evaluate("dialplane.leave()");
    expect(seen).toEqual([before]);
    expect(await swapped()).not.toBe(before);
  });

  it("is there once when a page loads it twice", async () => {
    const requests: string[] = [];
    page.on("request", (request) => requests.push(new URL(request.url()).pathname));
    await open("twice");
    await swapped();
    await page.waitForTimeout(200);
    expect(requests.filter((path) => path === "/v1/numbers")).toHaveLength(1);
  });

  it("shows numbers the right way round on a right-to-left page, in place of digits of other scripts, and adds no marks twice", async () => {
    await open("rtl");
    const number = await eventually("a number", async () => leased.exec((await text("#empty")).replace(/[\u2066\u2069]/g, ""))?.[0]);
    expect(await text()).toBe(`اتصل بنا على الرقم \u2066${number}\u2069 اليوم`);
    expect(await text("#arabic")).toBe(`هاتف: \u2066${number}\u2069`);
    expect(await text("#marked")).toBe(`هاتف \u2066${number}\u2069`);
    expect(await text("#left")).toBe(`Call ${number}`);
    for (const id of ["#n", "#arabic", "#marked", "#left", "#empty"]) expect(await goesFromLeftToRight(id, number)).toBe(true);
    await page.evaluate("dialplane.refresh()");
    expect(await text()).toBe(`اتصل بنا على الرقم \u2066${number}\u2069 اليوم`);
    await page.evaluate("dialplane.release()");
    expect(await text()).toContain(own);
    expect(await text("#empty")).toBe("\u2066\u2069");
    await page.evaluate("dialplane.refresh()");
    expect((await text()).match(/\u2066/g)).toHaveLength(1);
    expect((await text("#empty")).replace(/[\u2066\u2069]/g, "")).toMatch(leased);
  });

  it("works under a strict content security policy with a nonce and trusted types, violating nothing", async () => {
    await open("csp");
    const number = await swapped();
    expect(await text("#e")).toBe(number);
    await eventually("the stream", openStreams);
    expect(await page.evaluate("window.violated")).toBeUndefined();
    expect(errors).toEqual([]);
  });

  it("gives every visitor his own number on a page that was stored with somebody else's", async () => {
    // The number that is there before looks like one of the pool's: it is one.
    const own = async (of = page) => eventually("a number of his own", async () => ((await text("#n", of)) === "(202) 555-1499" ? undefined : text("#n", of)));
    await open("frozen");
    const number = await own();
    expect(number).toMatch(leased);
    expect(await page.locator("#n").getAttribute("href")).toBe(`tel:+1${number.replace(/\D/g, "")}`);
    const other = await newDevice();
    await open("frozen", other.page);
    const theirs = await own(other.page);
    expect(theirs).toMatch(leased);
    expect(theirs).not.toBe(number);
    await other.context.close();
  });

  it("prints the visitor's number, also where it is on paper only", async () => {
    await open("print");
    const number = await swapped();
    await page.emulateMedia({ media: "print" });
    expect(await text("#paper")).toBe(`Call ${number}`);
    expect(await page.locator("#n").isVisible()).toBe(false);
    expect((await page.pdf()).length).toBeGreaterThan(1000);
  });

  it("has one stream for all tabs of a device, and another tab takes it over", async () => {
    const streams = (wanted: number, message: string) => expect.poll(openStreams, { message, timeout: 20_000 }).toBe(wanted);
    await streams(0, "the streams of earlier pages end");
    await open("plain");
    const number = await swapped();
    await streams(1, "the stream");
    const second = await context.newPage();
    await open("plain", second);
    expect(await swapped("#n", second)).toBe(number);
    expect(await openStreams()).toBe(1);
    const taken = second.waitForRequest((request) => request.url().includes("/v1/stream"));
    await page.close();
    await taken;
    await streams(1, "the other tab's stream");
    await second.close();
    await streams(0, "no stream");
  });
});

describe("a stream that is asked for again", () => {
  it("is followed by the next one without a gap: the device is never offline", async () => {
    const quick = await startSite({ replicaOf: site, settings: { streams: { maxStreams: 10, maxStreamsPerDevice: 8, keepAliveSeconds: 1, maxSeconds: 1 } } });
    try {
      const asked: string[] = [];
      page.on("request", (request) => {
        if (request.url().includes("/v1/stream")) asked.push(request.url());
      });
      // Its streams come from the replica that asks for the next one each second.
      await page.route("**/v1/stream*", (route) => route.continue({ url: route.request().url().replace(site.url, quick.url) }));
      await open("plain");
      await swapped();
      await eventually("it is online", async () => (await site.stores.online()) > 0);
      const seen: number[] = [];
      await eventually("four streams", async () => seen.push(await site.stores.online()) > 0 && asked.length >= 4, 30_000);
      expect(Math.min(...seen)).toBe(1);
      await eventually("one is open", async () => (await streamsAt(quick.url)) === 1);
      expect(errors).toEqual([]);
    } finally {
      await page.close();
      await quick.close();
    }
  });
});

describe("a stream that is refused or lost", () => {
  /** Waits of the snippet pass at once and are written down; the renewal of leases is far longer. */
  const recordWaits = `
    window.waits = [];
    const wait = window.setTimeout;
    window.setTimeout = (task, milliseconds, ...rest) => {
      const retry = milliseconds >= 1000 && milliseconds <= 60000;
      if (retry) waits.push(milliseconds);
      return wait(task, retry ? 10 : milliseconds, ...rest);
    };`;
  const waits = (at = page) => at.evaluate<number[]>("window.waits");

  it("is opened again with growing waits, and with short ones once it was there", async () => {
    await page.addInitScript(`${recordWaits} Math.random = () => 1;`);
    await page.route("**/v1/stream*", (route) => route.abort("connectionrefused"));
    await open("plain");
    await swapped();
    await eventually("seven attempts", async () => (await waits()).length >= 7);
    expect((await waits()).slice(0, 7)).toEqual([5000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
    await page.unroute("**/v1/stream*");
    await eventually("the stream is open", async () => (await openStreams()) === 1);
    const before = (await waits()).length;
    site.endStreams();
    await eventually("another attempt", async () => (await waits()).length > before);
    expect((await waits())[before]).toBe(5000);
    expect(errors).toEqual([]);
  });

  it("is opened again after a wait by chance, so that pages don't come back all at once", async () => {
    await page.addInitScript(recordWaits);
    await page.route("**/v1/stream*", (route) => route.fulfill({ status: 503 }));
    await open("plain");
    await swapped();
    await eventually("twelve attempts", async () => (await waits()).length >= 12);
    const longest = (await waits()).slice(4, 12);
    expect(Math.min(...longest)).toBeGreaterThanOrEqual(12_000);
    expect(Math.max(...longest)).toBeLessThanOrEqual(60_000);
    expect(new Set(longest).size).toBeGreaterThan(4);
    expect(errors).toEqual([]);
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
    const blocked: string[] = [];
    page.on("requestfailed", (request) => blocked.push(new URL(request.url()).pathname));
    await page.route("**/v1/**", (route) => route.abort("blockedbyclient"));
    await open("plain");
    await eventually("the endpoint is asked", () => blocked.includes("/v1/numbers"));
    await page.waitForLoadState("networkidle");
    expect([await isThere(), await text()]).toEqual([true, own]);
    await page.route("**/dialplane.js", (route) => route.abort("blockedbyclient"));
    await open("plain");
    await eventually("the script is asked for", () => blocked.includes("/dialplane.js"));
    await page.waitForLoadState("networkidle");
    expect([await isThere(), await text()]).toEqual([false, own]);
    expect(errors).toEqual([]);
  });

  it.each<[keyof typeof pages, string, string[]]>([
    ["denied", "no consent: nobody is asked", []],
    ["typo", "an unknown pool: asked for once", ["/v1/numbers 404"]],
    ["nopool", "no pool: nobody is asked", []],
  ])("on page %s: %s", async (name, _what, expected) => {
    const answered: string[] = [];
    page.on("response", (response) => void answered.push(`${new URL(response.url()).pathname} ${response.status()}`));
    await open(name);
    await eventually("the script is there", isThere);
    await eventually("the service was asked", () => answered.filter(ofService).length >= expected.length);
    await page.waitForLoadState("networkidle");
    expect(answered.filter(ofService)).toEqual(expected);
    expect(await text()).toBe(own);
    expect(errors).toEqual([]);
  });

  it("when the page's own policy lets nobody be asked", async () => {
    const refused = page.waitForEvent("console", (message) => message.text().includes("Content Security Policy"));
    await open("unreachable");
    await refused;
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

/** What the browser knows of the visitor. */
async function kept(): Promise<{ local: number; session: number; cookies: string[] }> {
  const storage = await page.evaluate<{ local: number; session: number }>("({ local: localStorage.length, session: sessionStorage.length })");
  return { ...storage, cookies: (await context.cookies(`${site.url}/v1/numbers`)).map(({ name }) => name).sort() };
}

const openStreams = () => streamsAt(site.url);

/** Whether a reader sees the second digit of a number left of its last. */
function goesFromLeftToRight(selector: string, number: string): Promise<boolean> {
  return page.evaluate<boolean>(`(() => {
    const text = document.createTreeWalker(document.querySelector("${selector}"), NodeFilter.SHOW_TEXT).nextNode();
    const start = text.data.indexOf("${number}");
    const leftOf = (at) => {
      const range = document.createRange();
      range.setStart(text, at);
      range.setEnd(text, at + 1);
      return range.getBoundingClientRect().left;
    };
    return leftOf(start + 2) < leftOf(start + ${number.length} - 1);
  })()`);
}
