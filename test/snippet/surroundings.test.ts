import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { launchChromium, type Browser, type BrowserContext, type Page } from "../harness/chromium.ts";
import { eventually } from "../harness/process.ts";
import { personToken, startSite, type Site } from "../ingress/site.ts";

/** What pages, other scripts, other tabs and the computer do to the script: each of these once cost a visitor the number, or showed somebody else's. */

const own = "(202) 555-0199";
const leased = /\(202\) 555-[17]\d{3}/;
const html = (body: string, script = 'data-pool="default/sales"') =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title><body>${body}<script id="tag" src="/dialplane.js" ${script} async></script>`;
const link = `<a id="n" href="tel:+12025550199" data-dialplane="banner">${own}</a>`;
/** Another script that changes what the link says, whenever anybody else does. */
const rewriting = (change: string) => `${link}<script>
  new MutationObserver(() => {
    const said = n.textContent, wanted = ${change};
    if (said !== wanted) n.textContent = wanted;
  }).observe(document.body, { subtree: true, childList: true, characterData: true });</script>`;

/** How a number is written, and what stands there in its place. */
const written: Readonly<Record<string, [string, string]>> = {
  "a space without width": ["(202) 555&#8203;-0199", "NUMBER"],
  joiners: ["+1&zwj;-202&zwj;-555&zwj;-0199", "NUMBER"],
  "word joiners": ["(202) 555&#8288;-&#8288;0199", "NUMBER"],
  "a soft hyphen": ["2025&shy;550199", "NUMBER"],
  "a possible break": ["(202) 555<wbr>-0199", "NUMBER<wbr>"],
  "minus signs": ["202&#8722;555&#8722;0199", "NUMBER"],
  "a country code in brackets": ["(+49) 30 901820", "NUMBER"],
  "a zero in brackets": ["Tel. +49 (0)30 90 18 20", "Tel. NUMBER"],
  "brackets around it": ["call (030 901820) now", "call (NUMBER) now"],
  "brackets within brackets": ["((202) 555-0199)", "(NUMBER)"],
  "another line": ["555-0199<br>555-0188", "NUMBER<br>555-0188"],
  "a style sheet before it": [`<style>.x { width: 1234567px }</style>${own}`, "<style>.x { width: 1234567px }</style>NUMBER"],
};

const pages: Readonly<Record<string, string>> = {
  plain: html(link),
  written: html(Object.values(written).map(([text], i) => `<p id="w${i}" data-dialplane="w${i}">${text}</p>`).join("")),
  formatted: html(rewriting(String.raw`said.replace(/\((\d{3})\) (\d{3})-(\d{4})/, "$1.$2.$3")`)),
  contested: html(rewriting(`"${own}"`)),
  named: html(`<section id="dialplane"></section>${link}`),
  "named tag": html(link, 'data-pool="default/sales" name="dialplane"').replace('id="tag"', 'id="dialplane"'),
  short: html(link, 'data-pool="default/short"'),
  "unfilled consent": html(link, 'data-pool="default/sales" data-visitor-consent=""'),
  "unknown consent": html(link, 'data-pool="default/sales" data-visitor-consent="{{ consent }}"'),
  "malformed pool": html(`${link}<p data-dialplane="a" data-pool="sales">${own}</p><p data-dialplane="b" data-pool="{{pool}}">${own}</p><p data-dialplane="c" data-pool="Shop/sales">${own}</p>
    <p data-dialplane="d" data-pool="default/sales-">${own}</p><p data-dialplane="e" data-pool="-/.">${own}</p>`),
};

let browser: Browser;
let site: Site;
let context: BrowserContext;
let page: Page;
let errors: string[];
/** Paths below /v1/ that the page asked. */
let asked: string[];
beforeAll(async () => {
  browser = await launchChromium();
  const assignment = { leaseSeconds: 100, cooldownSeconds: 0, attributionWindowSeconds: 2_592_000, onExhausted: { type: "LeavePage" } } as const;
  site = await startSite({ numbers: 200, pages, others: { "default/short": { ranges: [{ from: "+12025557010", to: "+12025557019" }], assignment } } });
});
afterAll(async () => {
  await browser.close();
  await site.close();
});
beforeEach(async () => {
  errors = [];
  asked = [];
  context = await browser.newContext();
  page = await newTab();
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith("/v1/")) asked.push(pathname.slice(4));
  });
});
afterEach(async () => {
  site.disturb(null);
  expect(errors).toEqual([]);
  await context.close();
});

async function newTab(): Promise<Page> {
  const tab = await context.newPage();
  tab.on("pageerror", (error) => errors.push(error.message));
  return tab;
}
const open = (name: string, tab = page) => tab.goto(`${site.url}/page/${name}`);
const text = (tab = page) => tab.locator("#n").innerText();
const href = () => page.locator("#n").getAttribute("href");
const number = (tab = page) =>
  eventually("a number", async () => {
    const shown = await text(tab);
    return leased.test(shown) ? shown : undefined;
  });
const shows = (wanted: string, tab = page) => expect.poll(() => text(tab), { timeout: 5_000 }).toBe(wanted);
const asks = (path: string) => asked.filter((one) => one === path).length;
const unavailable = () => site.disturb((_request, response) => void response.writeHead(503).end());

describe("a number is found whole", () => {
  it.each(Object.keys(written))("with %s", async (what) => {
    await open("written");
    const place = Object.keys(written).indexOf(what);
    const shown = await eventually("a number", async () => leased.exec(await page.locator("#w0").innerText())?.[0]);
    expect(await page.locator(`#w${place}`).innerHTML()).toBe(written[what]?.[1].replace("NUMBER", shown));
  });
});

describe("another script", () => {
  it("may write the number in another way: it is still ours, and the page's own comes back", async () => {
    await open("plain");
    const digits = (await number()).replace(/\D/g, "");
    await page.evaluate(`n.textContent = "+1 " + n.textContent.replace(/\\D/g, "-"); n.href = "tel:${digits}"`);
    await page.waitForTimeout(700);
    expect((await text()).replace(/\D/g, "")).toBe(`1${digits}`);
    await page.evaluate("dialplane.release()");
    expect([await text(), await href()]).toEqual([own, "tel:+12025550199"]);
  });

  it("that writes every number in another way doesn't take turns with ours", async () => {
    await open("formatted");
    await expect.poll(() => text(), { timeout: 5_000 }).toMatch(/^202\.555\.1\d{3}$/);
    expect(await page.evaluate("1 + 1")).toBe(2);
    await page.evaluate("dialplane.release()");
    await shows("202.555.0199");
  });

  it("that writes the page's own number anew, for ever, doesn't freeze the page", async () => {
    await open("contested");
    await eventually("the service was asked", () => asks("numbers") > 0);
    await page.waitForTimeout(1_000);
    expect(await Promise.race([page.evaluate("1 + 1"), new Promise((resolve) => setTimeout(resolve, 4_000, "frozen"))])).toBe(2);
  });

  it.each(["named", "named tag"])("is not meant by what has our name in the page: %s", async (name) => {
    await open(name);
    await number();
    expect(await page.evaluate("typeof dialplane.refresh")).toBe("function");
  });

  it("may keep things of its own under our name in the storage", async () => {
    await context.addInitScript(`localStorage.dialplane ??= '{"theme":"dark"}'; sessionStorage.dialplane ??= '{"open":["menu"]}'`);
    await open("plain");
    await number();
  });
});

describe("time", () => {
  it("that passed while the computer slept is noticed at once: a number of hours ago is not shown any more", async () => {
    await page.clock.install();
    await open("plain");
    await number();
    unavailable();
    await page.clock.setSystemTime(Date.now() + 10 * 3_600_000);
    await expect.poll(() => text(), { timeout: 3_000 }).toBe(own);
    expect(asks("numbers")).toBe(2);
  });

  it("that goes backwards tells nothing: the number is asked for again at once", async () => {
    await page.clock.install();
    await open("plain");
    const before = await number();
    await page.clock.setSystemTime(Date.now() - 10 * 3_600_000);
    await expect.poll(() => asks("numbers"), { timeout: 3_000 }).toBe(2);
    await shows(before);
  });

  it("is enough for a lease of less than two minutes: renewed before it ends", async () => {
    await page.clock.install();
    await open("short");
    await number();
    await page.evaluate(`window.seen = []; new MutationObserver(() => seen.push(n.textContent)).observe(n, { childList: true, characterData: true, subtree: true }); window.told = 0; addEventListener("dialplane:number", () => told++)`);
    await page.clock.runFor("01:13");
    await eventually("the page has the answer", async () => (await page.evaluate("window.told")) === 1);
    await page.clock.fastForward("00:40");
    expect(await page.evaluate("window.seen")).toEqual([]);
  });

  it.each([
    ["that holds for a minute", 60_000, "00:44", "00:02"],
    ["that holds for no time at all", 0, "00:04", "00:02"],
  ])("makes an answer %s due, and no earlier", async (_what, expiresIn, before, rest) => {
    const elements = [{ pool: "default/sales", mediaElement: "banner", status: "unchanged", number: null, display: null, tel: null, expiresAt: null, expiresIn, reason: "Exhausted" }];
    await page.route("**/v1/numbers", (route) => route.fulfill({ json: { elements, visitor: null, device: null } }));
    await page.clock.install();
    await open("plain");
    await eventually("the answer", () => asks("numbers") === 1);
    await page.waitForTimeout(300);
    await page.clock.fastForward(before);
    await page.waitForTimeout(100);
    expect(asks("numbers")).toBe(1);
    await page.clock.fastForward(rest);
    await eventually("it is asked for again", () => asks("numbers") === 2);
    expect(await text()).toBe(own);
  });
});

describe("another tab", () => {
  const identify = (name: string) => `dialplane.identify(${JSON.stringify(personToken(name))})`;

  it("shows the next person's number as well when somebody logs in or out", async () => {
    await open("plain");
    await number();
    await page.evaluate(identify("anna"));
    const tab = await newTab();
    await open("plain", tab);
    const annas = await number(tab);
    await page.evaluate("dialplane.leave()");
    const nobodys = await eventually("another number", async () => ((await text(tab)) === annas ? undefined : number(tab)));
    await shows(nobodys);
    await page.evaluate(identify("anna"));
    await shows(annas);
    await shows(annas, tab);
  });

  it("shows its own number after a log-out when the service can't be asked", async () => {
    await open("plain");
    const before = await number();
    const tab = await newTab();
    await open("plain", tab);
    await shows(before, tab);
    await tab.route("**/v1/numbers", (route) => route.fulfill({ status: 503 }));
    await page.evaluate("dialplane.leave()");
    await shows(own, tab);
  });

  it("that is being answered while the visitor says no gives back what it is answered, and keeps nothing", async () => {
    await open("plain");
    await number();
    const tab = await newTab();
    let answer = () => {};
    const held = new Promise<void>((resolve) => (answer = resolve));
    await tab.route("**/v1/numbers", async (route) => {
      await held;
      await route.continue();
    });
    const waiting = tab.waitForRequest("**/v1/numbers");
    await open("plain", tab);
    await waiting;
    await page.evaluate(`tag.dataset.visitorConsent = "denied"; dialplane.refresh()`);
    await shows(own);
    const released = tab.waitForResponse("**/v1/release");
    answer();
    expect((await released).request().postDataJSON()).toMatchObject({ pools: ["default/sales"], consent: "denied" });
    await tab.waitForTimeout(200);
    expect(await text(tab)).toBe(own);
    expect(await page.evaluate("localStorage.length + sessionStorage.length")).toBe(0);
    expect(await context.cookies(`${site.url}/v1/numbers`)).toEqual([]);
  });
});

describe("the page", () => {
  it("may put back what it took out while the numbers were given back", async () => {
    await open("plain");
    await number();
    await page.evaluate("window.kept = n; kept.remove(); dialplane.release()");
    await page.evaluate("document.body.append(kept)");
    expect([await text(), await href()]).toEqual([own, "tel:+12025550199"]);
  });

  it("may say that the visitor said no without a refresh: the numbers are given back, and nothing is kept", async () => {
    await open("plain");
    await number();
    const released = page.waitForResponse("**/v1/release");
    await page.evaluate(`tag.dataset.visitorConsent = "denied"`);
    expect((await released).request().postDataJSON()).toMatchObject({ consent: "denied" });
    await shows(own);
    await page.waitForTimeout(700);
    expect(asked.filter((path) => path !== "stream")).toEqual(["numbers", "release"]);
    expect(await page.evaluate("localStorage.length")).toBe(0);
  });

  it.each(["unfilled consent", "unknown consent", "malformed pool"])("has its numbers in spite of a template that was not filled in: %s", async (name) => {
    await open(name);
    await number();
  });
});
