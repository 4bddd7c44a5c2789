/**
 * @param scan looks through the page
 * @param moved the page shows something else, or is back
 */
export function watchPage(scan: () => void, moved: () => unknown): void {
  // Not before: the page's own scripts, which may wait for our events, are there then, and all elements travel in one request.
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", () => observe(scan));
  else observe(scan);
  followAddress(moved);
  // Back from the back/forward cache, perhaps days later.
  addEventListener("pageshow", (event) => event.persisted && moved());
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
function followAddress(moved: () => unknown): void {
  const address = () => location.href.split("#")[0];
  let last = address();
  const changed = () => {
    if (last === address()) return;
    last = address();
    // After the application has drawn the new view.
    setTimeout(moved, 50);
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
