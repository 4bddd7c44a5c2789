import { build } from "esbuild";
import { ROOT } from "../lib/paths.mjs";

/** Members of our own objects that neither the page nor the service sees. None may be the name of anything that the script uses of the browser. */
const internal = ["arrived", "base", "element", "enqueue", "forget", "hangUp", "key", "listen", "post", "self", "source", "wanted"];

/** The browser script as one file: esbuild is there in development only, so what it makes is checked in. */
export async function generate(): Promise<Record<string, string>> {
  const built = await build({
    entryPoints: ["src/snippet/dialplane.ts"],
    absWorkingDir: ROOT,
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: ["chrome109", "firefox115", "safari16"],
    // Old ones know the digits of the Unicode of their time, which is enough.
    supported: { "regexp-unicode-property-escapes": true },
    mangleProps: new RegExp(`^(${internal.join("|")})$`),
    charset: "utf8",
    legalComments: "none",
    // No "use strict" in front of what TypeScript checked strictly.
    tsconfigRaw: {},
    logLevel: "silent",
    banner: { js: "// DO NOT EDIT: npm run generate" },
  });
  return { "src/snippet/dialplane.generated.js": built.outputFiles[0]?.text ?? "" };
}
