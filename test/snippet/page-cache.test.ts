import { afterAll, beforeAll, expect, it } from "vitest";
import { launchChromium, type Browser } from "../harness/chromium.ts";
import { eventually } from "../harness/process.ts";
import { openStreams } from "../ingress/replicas.ts";
import { startSite, type Site } from "../ingress/site.ts";

const own = "(202) 555-0199";
const page = `<!doctype html><html lang="en"><title>t</title><body><a id="n" data-dialplane="banner" href="tel:+12025550199">${own}</a>
  <script>
    window.returned = 0;
    addEventListener("pageshow", ({ persisted }) => (returned += persisted ? 1 : 0));
  </script><script src="/dialplane.js" data-pool="default/sales" async></script>`;

let browser: Browser;
let site: Site;
beforeAll(async () => {
  browser = await launchChromium({ keepPages: true });
  site = await startSite({ numbers: 50, pages: { plain: page, elsewhere: '<!doctype html><html lang="en"><title>Elsewhere</title>' } });
});
afterAll(async () => {
  await browser.close();
  await site.close();
});

it("a page that comes back from the back/forward cache asks again, has its stream again, and is online again", async () => {
  const tab = await (await browser.newContext()).newPage();
  const errors: string[] = [];
  tab.on("pageerror", (error) => errors.push(error.message));
  const shown = () => tab.evaluate<string>(`document.querySelector("#n")?.textContent ?? ""`);
  await tab.goto(`${site.url}/page/plain`);
  const number = await eventually("a number", async () => (await shown()).startsWith("(202) 555-1") && shown());
  await eventually("it is online", async () => (await openStreams(site.url)) === 1 && (await site.stores.online()) === 1);

  await tab.evaluate(`location.href = "/page/elsewhere"`);
  await eventually("another page", async () => (await tab.title()) === "Elsewhere");
  await eventually("it is offline", async () => (await openStreams(site.url)) === 0 && (await site.stores.online()) === 0);

  const asked = tab.waitForRequest((request) => request.url().endsWith("/v1/numbers"));
  await tab.evaluate("history.back()");
  await asked;
  expect(await tab.evaluate("window.returned"), "the very page came back").toBe(1);
  expect(await shown()).toBe(number);
  await eventually("it is online again", async () => (await openStreams(site.url)) === 1 && (await site.stores.online()) === 1);
  expect(errors).toEqual([]);
});
