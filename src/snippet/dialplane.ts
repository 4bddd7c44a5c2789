import { createPage } from "./page.ts";
import { createSession, guarded } from "./session.ts";

/**
 * The browser script: `<script src="https://.../dialplane.js" data-pool="namespace/name" async></script>`.
 *
 * Swaps the telephone number of every `[data-dialplane="<media element>"]`, its text and its `tel:` links, and keeps it swapped in
 * single-page apps. Whatever fails, the page keeps what it shows. Attributes of the script tag: `data-pool`;
 * `data-visitor-consent` (granted | denied). Of an element: `data-dialplane`, `data-pool`.
 */
guarded(() => {
  // Put into the page by another script it is no current one. What is no script tag of HTML has no address, which throws.
  const script = (document.currentScript ?? document.querySelector('script[src*="dialplane.js"]')) as HTMLScriptElement;
  // Once. What has this id in the page is a property of the window as well, but has no such method.
  if (!window.dialplane?.leave) window.dialplane = createPage(script.dataset, createSession(new URL("v1/", script.src).href));
});
