import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Top folder of the checkout. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Executables of the npm packages; `node` among them is Node 24. */
export const NODE_MODULES_BIN = join(ROOT, "node_modules", ".bin");

export const NODE_24 = join(NODE_MODULES_BIN, "node");

/**
 * Folder for everything the set-up downloads or builds.
 * @param {NodeJS.ProcessEnv} env `DIALPLANE_CACHE_DIR` overrides `.cache` of the checkout.
 */
export function cacheDir(env) {
  return env["DIALPLANE_CACHE_DIR"] ? resolve(env["DIALPLANE_CACHE_DIR"]) : join(ROOT, ".cache");
}
