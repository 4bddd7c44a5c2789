import { build } from "esbuild";
import { readFileSync } from "node:fs";

/** A published analytics tracker to compare with: does one request a page and changes nothing in it. */
export const TRACKER = "@plausible-analytics/tracker";
const manifest = new URL(`../../node_modules/${TRACKER}/package.json`, import.meta.url);
export const trackerVersion = (JSON.parse(readFileSync(manifest, "utf8")) as { readonly version: string }).version;

/** The tracker as one file for a script tag, made by the same tool with the same options as ours. @param endpoint where it reports page views */
export async function trackerScript(endpoint: string): Promise<string> {
  const options = { domain: "acme.example", endpoint, captureOnLocalhost: true, logging: false };
  const built = await build({
    stdin: { contents: `import { init } from "${TRACKER}"; init(${JSON.stringify(options)});`, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: ["chrome109", "firefox115", "safari16"],
    legalComments: "none",
    logLevel: "silent",
  });
  return built.outputFiles[0]?.text ?? "";
}
