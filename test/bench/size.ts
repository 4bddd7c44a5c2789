import { brotliCompressSync, gzipSync } from "node:zlib";

import { snippetScript } from "../../src/ingress/snippet-file.ts";
import { TRACKER, trackerScript, trackerVersion } from "./tracker.ts";
import { readFlags } from "../harness/flags.ts";

const flags = readFlags({ json: { type: "boolean", default: false } });

/** As src/ingress/snippet-file.ts compresses it. */
function sizesOf(script: string | Buffer): { readonly plain: number; readonly gzip: number; readonly brotli: number } {
  return { plain: Buffer.byteLength(script), gzip: gzipSync(script, { level: 9 }).length, brotli: brotliCompressSync(script).length };
}

const snippet = sizesOf(snippetScript());
const tracker = sizesOf(await trackerScript("https://plausible.io/api/event"));
for (const [name, { plain, gzip, brotli }] of [["dialplane.js", snippet], [`${TRACKER} ${trackerVersion}`, tracker]] as const) {
  console.log(`${name.padEnd(38)}${String(plain).padStart(6)} bytes, gzip ${String(gzip).padStart(5)}, brotli ${String(brotli).padStart(5)}`);
}
if (flags.json) console.log(JSON.stringify({ size: { snippet, tracker: { name: TRACKER, version: trackerVersion, ...tracker } } }));
for (const form of ["plain", "gzip", "brotli"] as const) {
  if (snippet[form] < tracker[form]) continue;
  console.error(`dialplane.js is ${snippet[form]} bytes (${form}); it must be smaller than the tracker, ${tracker[form]}`);
  process.exitCode = 1;
}
