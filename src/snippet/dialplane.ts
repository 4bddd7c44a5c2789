import type { Dialplane } from "./api.ts";
import { createPage } from "./page.ts";
import { createSession } from "./session.ts";

/**
 * The browser script: `<script src="https://.../dialplane.js" data-pool="namespace/name" async></script>`.
 *
 * Swaps the telephone number of every `[data-dialplane="<media element>"]`, its text and its `tel:` links, and keeps it swapped in
 * single-page apps. Whatever fails, the page keeps what it shows. Attributes of the script tag: `data-pool`;
 * `data-visitor-consent` (granted | denied). Of an element: `data-dialplane`, `data-pool`.
 */
function start(script: HTMLScriptElement): Dialplane {
  const { dialplane, scan, seen, gone } = createPage(script, createSession(new URL("v1/", script.src).href));
  // Not before: the page's own scripts, which may wait for our events, are there then, and all elements travel in one request.
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", () => observe(scan));
  else observe(scan);
  followAddress(dialplane.refresh);
  addEventListener("pagehide", gone);
  addEventListener("pageshow", (event) => {
    // Back from the back/forward cache, perhaps days later.
    if (event.persisted) void dialplane.refresh();
  });
  addEventListener("visibilitychange", seen);
  return dialplane;
}

/** What the script changes itself makes one more scan, which finds nothing to do. */
function observe(scan: () => void): void {
  new MutationObserver(scan).observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
    // Which makes it look at attributes at all.
    attributeFilter: ["hidden", "data-dialplane", "data-pool", "href"],
  });
  scan();
}

/** Single-page apps change the address without a new page. */
function followAddress(refresh: () => unknown): void {
  const address = () => location.href.split("#")[0];
  let last = address();
  const changed = () => {
    if (last === address()) return;
    last = address();
    // After the application has drawn the new view.
    setTimeout(refresh, 50);
  };
  for (const name of ["pushState", "replaceState"] as const) {
    const own = history[name].bind(history);
    history[name] = (...change) => {
      own(...change);
      changed();
    };
  }
  addEventListener("popstate", changed);
}

try {
  // Put into the page by another script it is no current one. What is no script tag of HTML has no address, which throws.
  window.dialplane ??= start((document.currentScript ?? document.querySelector('script[src*="dialplane.js"]')) as HTMLScriptElement);
} catch {
  // An old browser, or no tag: the page's own number does.
}
