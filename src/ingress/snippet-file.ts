import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";
import type { RequestHandler } from "express";

/** Browsers keep it an hour; within a day from then they use it once more and refresh it in the background: a fix reaches a page with the second visit after the hour. */
const cacheControl = "public, max-age=3600, stale-while-revalidate=86400";

/** The browser script without the first line, which says to developers where it comes from. @throws when the file is missing: then the release is incomplete. */
export function snippetScript(): Buffer {
  const file = readFileSync(new URL("../snippet/dialplane.generated.js", import.meta.url));
  return file.subarray(file.indexOf("\n") + 1);
}

/** Serves the browser script, compressed once at start. */
export function snippetFile(): RequestHandler {
  const plain = snippetScript();
  const encodings = { br: brotliCompressSync(plain), gzip: gzipSync(plain, { level: 9 }) };
  const etag = `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`;
  return (request, response) => {
    // Cross-Origin-Resource-Policy lets pages with their own strict isolation load it; it holds nothing personal.
    response.set({
      "Cache-Control": cacheControl,
      ETag: etag,
      Vary: "Accept-Encoding",
      "Cross-Origin-Resource-Policy": "cross-origin",
      "Access-Control-Allow-Origin": "*",
    });
    if (request.headers["if-none-match"] === etag) {
      response.status(304).end();
      return;
    }
    // Browsers name gzip first and like both as much.
    const encoding = (["br", "gzip"] as const).find((one) => request.acceptsEncodings(one) === one);
    response.type("text/javascript; charset=utf-8");
    if (encoding === undefined) response.end(plain);
    else response.set("Content-Encoding", encoding).end(encodings[encoding]);
  };
}
