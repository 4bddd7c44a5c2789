import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { launchChromium, type Browser, type Page } from "../harness/chromium.ts";
import { eventually } from "../harness/process.ts";
import { startBalancer, startReplica, type Balancer, type Replica } from "../ingress/replicas.ts";
import { aSitePool, personToken } from "../ingress/site.ts";
import { startStores, type Stores } from "../ingress/stores.ts";

const own = "(202) 555-0199";
const html = `<!doctype html><html lang="en"><title>t</title><body><b id="n" data-dialplane="banner">${own}</b>
  <section hidden id="s"><b id="h" data-dialplane="pricing">${own}</b></section>
  <script>addEventListener("dialplane:number", ({ detail }) => { if (detail.pushed && detail.mediaElement === "pricing") document.querySelector("#s").hidden = false; })</script>
  <script src="/dialplane.js" data-pool="default/sales" async></script>`;

let browser: Browser;
let stores: Stores;
let balancer: Balancer;
const started: Replica[] = [];
beforeAll(async () => {
  browser = await launchChromium();
  stores = await startStores();
  balancer = await startBalancer(html);
  await stores.apply(new Map([["default/sales", aSitePool("default/sales", 1, { allowedOrigins: [balancer.url] })]]));
  for (let i = 0; i < 2; i += 1) started.push(await startReplica(stores));
});
afterEach(() => browser.close());
afterAll(async () => {
  await balancer.close();
  await Promise.all(started.map((replica) => replica.stop()));
  await stores.close();
});

const text = (page: Page, id = "#n") => page.locator(id).innerText();

async function visit(): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${balancer.url}/page`);
  await eventually("a number", async () => (await text(page)) !== own);
  await page.evaluate(`dialplane.identify("${personToken("anna")}")`);
  return page;
}

it("two devices of a person on two replicas: the push arrives; when one replica is killed, its device comes back at the other and pushes arrive again", async () => {
  const [first, second] = started;
  if (first === undefined || second === undefined) throw new Error("there are no replicas");
  balancer.replicas.splice(0, 2, first, second);
  const phone = await visit();
  await eventually("the phone's stream is at the first replica", async () => (await first.openStreams()) === 1);
  balancer.replicas.splice(0, 2, second, first);
  const laptop = await visit();
  await eventually("the laptop's stream is at the second replica", async () => (await second.openStreams()) === 1);
  expect(await text(laptop)).toBe(await text(phone));

  await first.kill();
  await eventually("the phone's stream is at the second replica too", async () => (await second.openStreams()) === 2, 30_000);
  await eventually("both are online", async () => (await stores.online()) === 2);
  await laptop.evaluate(`document.querySelector("#s").hidden = false`);
  await phone.locator("#s").waitFor({ state: "visible" });
  expect(await text(phone, "#h")).toBe(await text(phone));
  expect(await text(laptop, "#h")).toBe(await text(phone));
});
