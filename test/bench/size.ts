import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { TRACKER, trackerScript, trackerVersion } from "./tracker.ts";

/** What a page has to load at most, compressed as src/ingress/snippet-file.ts does it. */
const MOST_GZIP_BYTES = 3_000;

const { values: flags } = parseArgs({ options: { json: { type: "boolean", default: false } } });

function sizesOf(script: string): { readonly plain: number; readonly gzip: number; readonly brotli: number } {
  return { plain: Buffer.byteLength(script), gzip: gzipSync(script, { level: 9 }).length, brotli: brotliCompressSync(script).length };
}

const snippet = sizesOf(readFileSync(new URL("../../src/snippet/dialplane.generated.js", import.meta.url), "utf8"));
const tracker = sizesOf(await trackerScript("https://plausible.io/api/event"));
for (const [name, { plain, gzip, brotli }] of [["dialplane.js", snippet], [`${TRACKER} ${trackerVersion}`, tracker]] as const) {
  console.log(`${name.padEnd(38)}${String(plain).padStart(6)} bytes, gzip ${String(gzip).padStart(5)}, brotli ${String(brotli).padStart(5)}`);
}
if (flags.json) console.log(JSON.stringify({ size: { snippet, tracker: { name: TRACKER, version: trackerVersion, ...tracker } }, mostGzipBytes: MOST_GZIP_BYTES }));
if (snippet.gzip >= MOST_GZIP_BYTES) {
  console.error(`dialplane.js is ${snippet.gzip} bytes compressed; it must be less than ${MOST_GZIP_BYTES}`);
  process.exitCode = 1;
}
