/** As often the page is looked through without a reason: for what is due, and for another address. The page's history is left as it is: others may have got hold of it before. */
const lookMs = 500;
/** Between two of these; whoever writes the page's own number anew each time would take turns with this script for ever. */
const mostChanges = 50;

/**
 * @param scan looks through the page
 * @param left another page takes its place
 */
export function watchPage(scan: () => unknown, left: () => unknown): void {
  let changes = 0;

  /** What a scan changes itself makes no other: two elements in one link would change it in turn, for ever. */
  function look(): void {
    if (changes > mostChanges) return;
    void scan();
    if (observer.takeRecords()[0]) changes++;
  }
  const observer = new MutationObserver(look);

  function begin(): void {
    observer.observe(document, {
      // Which makes it look at attributes at all.
      attributeFilter: ["hidden", "href"],
      characterData: true,
      childList: true,
      subtree: true,
    });
    setInterval(() => {
      changes = 0;
      look();
    }, lookMs);
    look();
  }
  // Not before: the page's own scripts, which may wait for our events, are there then, and all elements travel in one request.
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin);
  else begin();
  // Also when it is back from the back/forward cache.
  addEventListener("visibilitychange", look);
  addEventListener("pagehide", left);
}
