
import { launchChromium, type Browser, type Page } from "../harness/chromium.ts";
import { readFlags, refuse } from "../harness/flags.ts";
import { percentile } from "./claim-load.ts";
import { machine, POOL, withIngress } from "./ingress-world.ts";
import { servePages, serveTracker } from "./snippet-pages.ts";
import { TRACKER, trackerScript, trackerVersion } from "./tracker.ts";

const MOST_SWAP_MS = 50;
const WARM_UP = 3;

const flags = readFlags({ json: { type: "boolean", default: false }, visits: { type: "string", default: "40" } });
const visits = Number(flags.visits);
if (!(Number.isInteger(visits) && visits >= 1 && visits <= 1000)) refuse("--visits must be from 1 to 1000: new visitors of each page");

/** Milliseconds after DOM ready (the start of DOMContentLoaded), but for the script time. */
interface Visit {
  /** The last of the page's numbers was swapped; null for a page that swaps none. */
  readonly swappedMs: number | null;
  /** The script's request was answered. */
  readonly answeredMs: number | null;
  /** JavaScript on the main thread of the whole page (DevTools protocol, ScriptDuration). */
  readonly scriptMs: number;
}

interface Kind {
  readonly name: "none" | "dialplane" | "tracker";
  /** Path of the script's request, when it makes one. */
  readonly request: string | null;
}

const kinds: readonly Kind[] = [
  { name: "none", request: null },
  { name: "dialplane", request: "/v1/numbers" },
  { name: "tracker", request: "/api/event" },
];

async function visit(page: Page, url: string, { name, request }: Kind): Promise<Visit> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable");
  // Nothing is evaluated in the page until it is done: that alone keeps its main thread busy for some 10 ms.
  const done = request === null ? null : name === "dialplane" ? page.waitForEvent("console") : page.waitForEvent("requestfinished", (one) => one.url().endsWith(request));
  await page.goto(`${url}/${name}`);
  await done;
  if (request !== null) await page.waitForFunction(`performance.getEntriesByType("resource").some((entry) => entry.name.endsWith("${request}") && entry.responseEnd > 0)`);
  if (name === "dialplane") await page.waitForFunction("window.swaps === 5");
  const measured = await page.evaluate<{ ready: number; answered: number | null; swapped: number | null }>(`({
    ready: performance.getEntriesByType("navigation")[0].domContentLoadedEventStart,
    answered: performance.getEntriesByType("resource").find((entry) => entry.name.endsWith("${request ?? "nothing"}"))?.responseEnd ?? null,
    swapped: window.lastSwap ?? null,
  })`);
  const { metrics } = await devtools.send("Performance.getMetrics");
  await devtools.detach();
  const after = (at: number | null) => (at === null ? null : at - measured.ready);
  const script = metrics.find((metric) => metric.name === "ScriptDuration")?.value ?? Number.NaN;
  return { swappedMs: after(measured.swapped), answeredMs: after(measured.answered), scriptMs: script * 1000 };
}

interface Visits {
  readonly first: Visit[];
  readonly returning: Visit[];
}

/** Alternating, so that whatever else the machine does meets all alike. */
async function visitAll(browser: Browser, url: string): Promise<ReadonlyMap<Kind["name"], Visits>> {
  const all = new Map<Kind["name"], Visits>(kinds.map(({ name }) => [name, { first: [], returning: [] }]));
  for (let round = -WARM_UP; round < visits; round += 1) {
    for (const kind of kinds) {
      const context = await browser.newContext();
      const first = await visit(await context.newPage(), url, kind);
      // Another tab: cookies, storage and the script's file are there.
      const returning = await visit(await context.newPage(), url, kind);
      await context.close();
      if (round < 0) continue;
      all.get(kind.name)?.first.push(first);
      all.get(kind.name)?.returning.push(returning);
    }
  }
  return all;
}

interface Figures {
  readonly p50: number;
  readonly p95: number;
}

function figures(of: readonly Visit[], what: keyof Visit): Figures | null {
  const values = of.map((one) => one[what]).filter((value) => value !== null);
  return values.length === 0 ? null : { p50: percentile(Float64Array.from(values), 0.5), p95: percentile(Float64Array.from(values), 0.95) };
}

function summary(of: readonly Visit[]): Record<keyof Visit, Figures | null> {
  return { swappedMs: figures(of, "swappedMs"), answeredMs: figures(of, "answeredMs"), scriptMs: figures(of, "scriptMs") };
}

async function run(): Promise<ReadonlyMap<Kind["name"], Visits>> {
  const scripts = new Map([["none", ""]]);
  const pages = await servePages(scripts);
  const tracker = await serveTracker((url) => trackerScript(`${url}/api/event`));
  scripts.set("tracker", `<script src="${tracker.url}/tracker.js" async></script>`);
  const browser = await launchChromium();
  try {
    return await withIngress(pages.url, async ({ url }) => {
      scripts.set("dialplane", `<script src="${url}/dialplane.js" data-pool="${POOL}" async></script>`);
      return visitAll(browser, pages.url);
    });
  } finally {
    await browser.close();
    await Promise.all([pages.close(), tracker.close()]);
  }
}

function table(results: readonly { readonly page: string; readonly visitor: string; readonly figures: ReturnType<typeof summary> }[]): string {
  const cell = (value: Figures | null) => (value === null ? "-" : `${value.p50.toFixed(1)} / ${value.p95.toFixed(1)}`).padStart(16);
  const head = `${"page, visitor".padEnd(26)}${["swapped", "answered", "script time"].map((title) => title.padStart(16)).join("")}`;
  return [head, ...results.map(({ page, visitor, figures: of }) => `${`${page}, ${visitor}`.padEnd(26)}${cell(of.swappedMs)}${cell(of.answeredMs)}${cell(of.scriptMs)}`)].join("\n");
}

console.log(`Milliseconds after DOM ready, p50 / p95 of ${visits} visits each, beside ${TRACKER} ${trackerVersion}; real Chromium, loopback; ${machine()}`);
const results = [...(await run())].flatMap(([page, { first, returning }]) => [
  { page, visitor: "first", figures: summary(first) },
  { page, visitor: "returning", figures: summary(returning) },
]);
console.log(table(results));
if (flags.json) console.log(JSON.stringify({ bench: "snippet", machine: machine(), visits, tracker: `${TRACKER} ${trackerVersion}`, results }));
const swap = results.find(({ page, visitor }) => page === "dialplane" && visitor === "first")?.figures.swappedMs?.p50 ?? Number.NaN;
if (!(swap < MOST_SWAP_MS)) {
  console.log(`half of the first visitors saw their number later than ${MOST_SWAP_MS} ms after DOM ready`);
  process.exitCode = 1;
}
