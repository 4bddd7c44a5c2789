import { join } from "node:path";
import { NODE_24, ROOT } from "./paths.mjs";
import { runForeground } from "./process.mjs";
import { setUp } from "./set-up.mjs";

/**
 * Sets up parts, then runs a file of this checkout on Node 24, which also reads TypeScript.
 * @param {readonly string[]} parts
 * @param {string} file relative to the checkout
 * @param {readonly string[]} args
 * @returns {Promise<number>} exit code of the file
 */
export async function runOnNode24(parts, file, args) {
  const env = await setUp(parts);
  return runForeground(NODE_24, [join(ROOT, file), ...args], env);
}
