/** As often it is looked whether something is due. No "Retry-After" of the service is longer. */
const dueMs = 60_000;
/** As often it is looked whether a single-page application changed the address. Its history is left as it is: others may have got hold of it before. */
const addressMs = 500;

/**
 * @param scan looks through the page
 * @param moved the page shows something else, or is back
 * @param seen it was looked at again, or a while has passed
 * @param left another page takes its place
 */
export function watchPage(scan: () => void, moved: () => unknown, seen: () => void, left: () => void): void {
  // Not before: the page's own scripts, which may wait for our events, are there then, and all elements travel in one request.
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", () => observe(scan));
  else observe(scan);
  const address = () => location.href.split("#")[0];
  let last = address();
  setInterval(() => last !== (last = address()) && moved(), addressMs);
  addEventListener("visibilitychange", seen);
  setInterval(seen, dueMs);
  addEventListener("pagehide", left);
  // Back from the back/forward cache, perhaps days later.
  addEventListener("pageshow", (event) => event.persisted && moved());
}

/** What a scan changes itself makes no other: two elements in one link would change it in turn, for ever. */
function observe(scan: () => void): void {
  const observer = new MutationObserver(() => {
    scan();
    observer.takeRecords();
  });
  observer.observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
    // Which makes it look at attributes at all.
    attributeFilter: ["hidden", "data-dialplane", "data-pool", "href"],
  });
  scan();
}
