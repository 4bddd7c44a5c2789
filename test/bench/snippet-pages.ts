import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

/** The same page with another script; the numbers are what a page has without any. */
function page(script: string): string {
  const numbers = Array.from({ length: 5 }, (_, i) => `<p><a class="number" data-dialplane="part-${i}" href="tel:+12025550199">(202) 555-0199</a></p>`).join("");
  const text = "<p>The quick brown fox jumps over the lazy dog.</p>".repeat(200);
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Bench</title>
<script>addEventListener("dialplane:number", () => { window.lastSwap = performance.now(); if ((window.swaps = (window.swaps || 0) + 1) === 5) console.debug("swapped"); });</script>
${script}</head><body>${text}${numbers}${text}</body></html>`;
}

export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

export async function serve(handler: RequestListener): Promise<Served> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** @param scripts script tags by page name */
export function servePages(scripts: ReadonlyMap<string, string>): Promise<Served> {
  return serve((request, response) => {
    const script = scripts.get(request.url?.slice(1) ?? "");
    if (script === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(page(script));
  });
}

/** The tracker's server at its best: answers at once and keeps nothing. @param script makes the tracker for the address of the server */
export async function serveTracker(script: (url: string) => Promise<string>): Promise<Served> {
  let file = "";
  const served = await serve((request, response) => {
    response.setHeader("Access-Control-Allow-Origin", "*").setHeader("Access-Control-Allow-Headers", "Content-Type");
    if (request.url === "/tracker.js") {
      response.writeHead(200, { "Content-Type": "text/javascript", "Cache-Control": "public, max-age=3600" }).end(file);
      return;
    }
    request.resume().once("end", () => response.writeHead(202, { "Content-Type": "text/plain" }).end("ok"));
  });
  file = await script(served.url);
  return served;
}
