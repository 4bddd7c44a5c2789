import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, type Browser, type Page } from "../harness/chromium.ts";
import { eventually } from "../harness/process.ts";
import { startSite, type Site } from "../ingress/site.ts";

let browser: Browser;
let site: Site;
beforeAll(async () => {
  browser = await launchChromium();
  site = await startSite();
});
afterAll(async () => {
  await browser.close();
  await site.close();
});

const number = (page: Page, id: string) => page.locator(id).innerText();

async function visit(): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(site.url);
  await eventually("a number", async () => (await number(page, "#hero-number")).startsWith("(202) 555-1"));
  return page;
}

async function signIn(page: Page, name: string): Promise<void> {
  await page.click("#sign-in");
  await page.fill("#subject", name);
  await page.click("dialog .solid");
  await page.locator("#who").getByText(name).waitFor();
}

describe("the demo page in real browsers", () => {
  it("shows two people two numbers; one person on a second device sees his own number, the second media element by push", async () => {
    const phone = await visit();
    const laptop = await visit();
    const stranger = await visit();
    const [first, second, third] = await Promise.all([phone, laptop, stranger].map((page) => number(page, "#hero-number")));
    expect(new Set([first, second, third]).size).toBe(3);

    await signIn(phone, "anna");
    await signIn(laptop, "anna");
    expect(await number(phone, "#hero-number")).toBe(first);
    await eventually("the laptop has the phone's number", async () => (await number(laptop, "#hero-number")) === first);
    await eventually("three devices are online", async () => (await site.stores.online()) === 3);

    expect(await phone.locator("#pricing").isVisible()).toBe(false);
    await laptop.click(".hero [data-open=pricing]");
    await phone.locator("#pricing").waitFor({ state: "visible" });
    expect(await number(laptop, "#pricing-number")).toBe(first);
    expect(await number(phone, "#pricing-number")).toBe(first);
    expect(await phone.locator("#pricing-number").getAttribute("href")).toBe(`tel:+1${String(first).replace(/\D/g, "")}`);
    expect(await phone.locator("#continued").isVisible()).toBe(true);
    expect(await stranger.locator("#pricing").isVisible()).toBe(false);

    const shown = await site.stores.associations(`+1${String(first).replace(/\D/g, "")}`);
    const pricing = shown.find(({ mediaElement }) => mediaElement === "pricing");
    expect(pricing?.otherDevicesOnline).toEqual([shown.find(({ mediaElement, device }) => mediaElement === "banner-spring" && device !== pricing?.device)?.device]);
    expect(pricing?.determinedAt.getTime()).toBeLessThanOrEqual(Date.now());

    await laptop.click("#sign-out");
    await eventually("the laptop is somebody else's", async () => (await number(laptop, "#hero-number")) !== first);
    expect(await number(phone, "#hero-number")).toBe(first);
  });
});
