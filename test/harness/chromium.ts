/** Tests and the demo look at pages with the same browser. */
export { chromiumPath, launchChromium, type Browser, type BrowserContext, type Page } from "../../demo/chromium.ts";
