import type { Browser, Page } from "playwright-core";
import { eventually, must } from "./evidence.ts";

/** One device of a person: a browser that shares nothing with the others, with the demo page open. */
export class Device {
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  static async open(browser: Browser, url: string): Promise<Device> {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(url);
    return new Device(page);
  }

  /** The number in a media element's place once it is not the page's own any more, in E.164 as its link dials it. */
  async numberOf(mediaElement: string, own: string): Promise<{ readonly number: string; readonly text: string }> {
    const element = this.#page.locator(`a.number[data-dialplane="${mediaElement}"]`);
    return eventually(`a number in "${mediaElement}"`, async () => {
      const [href, text, visible] = [await element.getAttribute("href"), await element.textContent(), await element.isVisible()];
      const number = (href ?? "").replace(/^tel:/, "");
      return visible && number !== "" && number !== own && { number, text: (text ?? "").trim() };
    });
  }

  async signIn(name: string): Promise<void> {
    await this.#page.locator("#sign-in").click();
    await this.#page.locator("#subject").fill(name);
    await this.#page.locator("#sign-in-dialog button[type=submit]").click();
    await this.#page.locator("#who").waitFor({ state: "visible" });
  }

  async showsPricing(): Promise<boolean> {
    return this.#page.locator("#pricing").isVisible();
  }

  async openPricing(): Promise<void> {
    await this.#page.locator("button.solid[data-open=pricing]").click();
  }

  /** The ids inside the signed tokens that this browser keeps: `v1.` + base64url of key id (1 byte), UUID (16), signature (16). */
  async identity(): Promise<{ readonly prospect: string; readonly device: string }> {
    const text = await this.#page.evaluate(() => globalThis.localStorage.getItem("dialplane"));
    const tokens = JSON.parse(text ?? "null") as { visitor?: string; device?: string } | null;
    must(tokens?.visitor !== undefined && tokens.device !== undefined, "the browser keeps no visitor and device token");
    return { prospect: uuidIn(tokens.visitor), device: uuidIn(tokens.device) };
  }
}

function uuidIn(token: string): string {
  const hex = Buffer.from(token.replace(/^v1\./, ""), "base64url").subarray(1, 17).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
