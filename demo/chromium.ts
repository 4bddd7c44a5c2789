import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { ExpectedError } from "../src/domain/errors.ts";

/** The browser talks to loopback only: every feature that calls home is off, and every other host name is unknown. */
const flags = [
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--disable-quic",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
];

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** `CHROMIUM_PATH` first, then the usual names on `PATH`. @throws ExpectedError `MissingPart` */
export function chromiumPath(env: NodeJS.ProcessEnv = process.env): string {
  const folders = (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const onPath = names.flatMap((name) => folders.map((folder) => join(folder, name))).find((file) => existsSync(file));
  const found = env["CHROMIUM_PATH"] === undefined || env["CHROMIUM_PATH"] === "" ? onPath : env["CHROMIUM_PATH"];
  if (found === undefined) throw new ExpectedError("MissingPart", "no Chromium: set CHROMIUM_PATH or install it (npm run doctor)", { field: "CHROMIUM_PATH" });
  return found;
}

/**
 * Real Chromium without a window. Each context of it is another device: it shares nothing with the others. Close it in the end.
 * @param options.keepPages keeps a page that is left alive to come back to it, as browsers of people do (back/forward cache)
 */
export function launchChromium(options: { readonly keepPages?: boolean } = {}): Promise<Browser> {
  const off = "--disable-back-forward-cache";
  return chromium.launch({ executablePath: chromiumPath(), args: flags, ...(options.keepPages === true ? { ignoreDefaultArgs: [off] } : {}) });
}

export type { Browser, BrowserContext, Page };
