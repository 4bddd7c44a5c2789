import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, type Browser, type BrowserContext, type Page } from "../harness/chromium.ts";
import { eventually } from "../harness/process.ts";
import { startSite, type Site } from "../ingress/site.ts";

let browser: Browser;
let site: Site;
const devices: BrowserContext[] = [];
beforeAll(async () => {
  browser = await launchChromium();
  site = await startSite({ numbers: 100 });
});
afterEach(async () => {
  await Promise.all(devices.splice(0).map((device) => device.close()));
  await eventually("nobody is online", async () => (await site.stores.online()) === 0, 20_000);
});
afterAll(async () => {
  await browser.close();
  await site.close();
});

const number = (page: Page, id = "#hero-number") => page.locator(id).innerText();
const e164 = (display: string) => `+1${display.replace(/\D/g, "")}`;
const shownAs = (page: Page, wanted: string, id = "#hero-number") => eventually(`${id} shows ${wanted}`, async () => (await number(page, id)) === wanted);
const online = (devicesOnline: number) => eventually(`${devicesOnline} devices are online`, async () => (await site.stores.online()) === devicesOnline);
const pricingOpens = (page: Page) => page.locator("#pricing").waitFor({ state: "visible" });

/** Another device: its own browser context. The page notes when it first showed a number with each media element. */
async function newDevice(): Promise<BrowserContext> {
  const device = await browser.newContext();
  await device.addInitScript(`
    window.shownAt = {};
    addEventListener("dialplane:number", ({ detail }) => (shownAt[detail.mediaElement] ??= Date.now()));`);
  devices.push(device);
  return device;
}

async function visit(device?: BrowserContext): Promise<Page> {
  const page = await (device ?? (await newDevice())).newPage();
  await page.goto(site.url);
  await eventually("a number", async () => (await number(page)).startsWith("(202) 555-1"));
  return page;
}

async function signIn(page: Page, name: string): Promise<void> {
  await page.click("#sign-in");
  await page.fill("#subject", name);
  await page.click("dialog .solid");
  await page.locator("#who").getByText(name).waitFor();
}

const openPricing = (page: Page) => page.click(".hero [data-open=pricing]");

/** What is stored of a media element, and the device that asked for it. */
async function recorded(display: string, mediaElement: string) {
  const all = (await site.stores.associations(e164(display))).filter((one) => one.mediaElement === mediaElement);
  const [first] = all.toSorted((one, other) => one.determinedAt.getTime() - other.determinedAt.getTime());
  if (first === undefined) throw new Error(`${display} was not recorded with ${mediaElement}`);
  return first;
}

async function deviceOf(page: Page): Promise<string> {
  const { device } = await page.evaluate<{ device: string }>(`JSON.parse(localStorage.getItem("dialplane"))`);
  return site.stores.idOf(device);
}

describe("the demo page in real browsers", () => {
  it("shows two people two numbers; one person on a second device sees his own number, the second media element by push", async () => {
    const [phone, laptop, stranger] = [await visit(), await visit(), await visit()];
    const [first, second, third] = [await number(phone), await number(laptop), await number(stranger)];
    expect(new Set([first, second, third]).size).toBe(3);

    await signIn(phone, "anna");
    await signIn(laptop, "anna");
    expect(await number(phone)).toBe(first);
    await shownAs(laptop, first);
    await online(3);

    expect(await phone.locator("#pricing").isVisible()).toBe(false);
    await openPricing(laptop);
    await pricingOpens(phone);
    expect(await number(laptop, "#pricing-number")).toBe(first);
    expect(await number(phone, "#pricing-number")).toBe(first);
    expect(await phone.locator("#pricing-number").getAttribute("href")).toBe(`tel:${e164(first)}`);
    expect(await phone.locator("#continued").isVisible()).toBe(true);
    expect(await stranger.locator("#pricing").isVisible()).toBe(false);

    const determination = await recorded(first, "pricing");
    expect(determination.device).toBe(await deviceOf(laptop));
    expect(determination.otherDevicesOnline).toEqual([await deviceOf(phone)]);
    for (const page of [laptop, phone]) expect(determination.determinedAt.getTime()).toBeLessThanOrEqual(await page.evaluate<number>("shownAt.pricing"));

    await laptop.click("#sign-out");
    await eventually("the laptop is somebody else's", async () => (await number(laptop)) !== first);
    expect(await number(phone)).toBe(first);
  });
});

describe("one person", () => {
  it("whose second device comes online later sees the same number there, and it is recorded that it was not online before", async () => {
    const phone = await visit();
    await signIn(phone, "berta");
    const laptopDevice = await newDevice();
    const before = await visit(laptopDevice);
    await signIn(before, "berta");
    const first = await number(phone);
    await before.close();
    await online(1);

    await openPricing(phone);
    await shownAs(phone, first, "#pricing-number");
    expect((await recorded(first, "pricing")).otherDevicesOnline).toEqual([]);

    const laptop = await visit(laptopDevice);
    await shownAs(laptop, first);
    await openPricing(laptop);
    await shownAs(laptop, first, "#pricing-number");
    const shown = await site.stores.associations(e164(first));
    expect(shown.find((one) => one.mediaElement === "pricing" && one.otherDevicesOnline.length > 0)).toMatchObject({
      device: await deviceOf(laptop),
      otherDevicesOnline: [await deviceOf(phone)],
    });
  });

  it("whose two devices already show different numbers: the older lease wins on both, and the other number still reaches the same prospect and nobody else", async () => {
    const [laptop, phone] = [await visit(), await visit()];
    const [older, younger] = [await number(laptop), await number(phone)];
    expect(younger).not.toBe(older);
    // The device with the younger number logs in first: it is age that decides, not the order of log-ins.
    await signIn(phone, "carla");
    await signIn(laptop, "carla");
    await shownAs(laptop, older);
    await phone.evaluate("dialplane.refresh()");
    await shownAs(phone, older);

    const [ofOlder, ofYounger] = [await recorded(older, "banner-spring"), await recorded(younger, "banner-spring")];
    expect(ofYounger.prospect).toBe(ofOlder.prospect);
    expect(await number(await visit())).not.toBe(younger);
    await online(3);
    await openPricing(laptop);
    await pricingOpens(phone);
    expect(await number(phone, "#pricing-number")).toBe(older);
  });
});

describe("a person who gives the numbers back", () => {
  const pageOwn = "(202) 555-0199";

  it("sees the page's own number on every tab and device, by one request, and a number of theirs again where it is asked for", async () => {
    const device = await newDevice();
    const [phone, laptop, stranger] = [await visit(device), await visit(), await visit()];
    const tab = await visit(device);
    await signIn(phone, "greta");
    await signIn(laptop, "greta");
    await openPricing(laptop);
    await pricingOpens(phone);
    await pricingOpens(tab);
    const number = await phone.locator("#hero-number").innerText();
    const theirs = await stranger.locator("#hero-number").innerText();
    await online(3);
    const asked: string[] = [];
    for (const page of [phone, tab, laptop, stranger]) page.on("request", (request) => asked.push(new URL(request.url()).pathname));

    await phone.evaluate("dialplane.release()");
    for (const page of [phone, tab, laptop]) for (const id of ["#hero-number", "#pricing-number"]) await shownAs(page, pageOwn, id);
    expect(await laptop.locator("#hero-number").getAttribute("href")).toBe("tel:+12025550199");
    // Long enough for what would go in circles.
    await phone.waitForTimeout(500);
    expect(asked.filter((path) => path !== "/v1/stream")).toEqual(["/v1/release"]);
    expect(await stranger.locator("#hero-number").innerText()).toBe(theirs);

    await laptop.evaluate("dialplane.refresh()");
    await eventually("a number again", async () => (await laptop.locator("#hero-number").innerText()) !== pageOwn);
    expect(await laptop.locator("#hero-number").innerText()).toBe(number);
    expect(await phone.locator("#hero-number").innerText()).toBe(pageOwn);
    expect(await tab.locator("#hero-number").innerText()).toBe(pageOwn);
  });

  it("leaves a pricing panel closed that was not open: what is given back is not shown", async () => {
    const [phone, laptop] = [await visit(), await visit()];
    await signIn(phone, "hanna");
    await signIn(laptop, "hanna");
    await online(2);
    await openPricing(laptop);
    await pricingOpens(phone);
    await phone.reload();
    await eventually("a number", async () => (await number(phone)) !== pageOwn);
    await online(2);
    await laptop.evaluate("dialplane.release()");
    await shownAs(phone, pageOwn);
    expect(await phone.locator("#pricing").isVisible()).toBe(false);
  });
});

describe("two people", () => {
  it("who share a computer get a number each, after a log-out and without one, and their other devices hear nothing of the other's", async () => {
    const [annasPhone, bensPhone, computer] = [await visit(), await visit(), await visit()];
    await signIn(annasPhone, "anna2");
    await signIn(bensPhone, "ben2");
    const [annas, bens] = [await number(annasPhone), await number(bensPhone)];
    await signIn(computer, "anna2");
    await shownAs(computer, annas);

    await computer.click("#sign-out");
    await eventually("a number of nobody's yet", async () => ![annas, bens].includes(await number(computer)));
    await signIn(computer, "ben2");
    await shownAs(computer, bens);
    // Anna forgets nothing, Ben forgets to log out.
    await computer.evaluate(`(async () => dialplane.identify((await (await fetch("/demo/token?subject=anna2")).json()).token))()`);
    await shownAs(computer, annas);
    await online(3);
    await openPricing(computer);
    await pricingOpens(annasPhone);
    expect(await number(annasPhone, "#pricing-number")).toBe(annas);
    expect(await bensPhone.locator("#pricing").isVisible()).toBe(false);
    expect((await recorded(annas, "pricing")).otherDevicesOnline).toEqual([await deviceOf(annasPhone)]);
  });

  it("of one household, same address and same kind of browser, stay apart", async () => {
    const [mother, daughter] = [await visit(), await visit()];
    await signIn(mother, "mother");
    await signIn(daughter, "daughter");
    const [hers, theirs] = [await number(mother), await number(daughter)];
    expect(theirs).not.toBe(hers);
    await online(2);
    await openPricing(mother);
    await shownAs(mother, hers, "#pricing-number");
    expect((await recorded(hers, "pricing")).otherDevicesOnline).toEqual([]);
    await openPricing(daughter);
    await shownAs(daughter, theirs, "#pricing-number");
    expect((await recorded(theirs, "pricing")).prospect).not.toBe((await recorded(hers, "pricing")).prospect);
    expect(await mother.locator("#continued").isVisible()).toBe(false);
  });
});
