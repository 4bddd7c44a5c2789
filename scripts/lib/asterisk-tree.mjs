import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isExecutable, run } from "./process.mjs";
import { parseVersion } from "./versions.mjs";

/** Below this there is no StasisBroadcast() (Asterisk 22.10 change log). */
export const MINIMUM_ASTERISK = "22.10";

/**
 * An unpacked Asterisk: `usr/sbin/asterisk`, `usr/lib/<triplet>/asterisk/modules` and, when it brings its own
 * C library, the loader beside it. With its own loader the host's C library does not matter.
 * @typedef {{ root: string, libraries: string, modules: string, command: string[] }} AsteriskTree
 */

/**
 * @param {string} root
 * @returns {Promise<AsteriskTree | undefined>} undefined when the folder holds no Asterisk
 */
export async function openTree(root) {
  const binary = join(root, "usr", "sbin", "asterisk");
  if (!isExecutable(binary)) return undefined;
  const lib = join(root, "usr", "lib");
  const folders = [...(await readdir(lib).catch(() => [])).map((name) => join(lib, name)), lib];
  const libraries = folders.find((folder) => existsSync(join(folder, "asterisk", "modules")));
  if (!libraries) return undefined;
  const loader = (await readdir(libraries)).find((name) => /^ld-linux-.*\.so\.\d+$/.test(name));
  const command = loader ? [join(libraries, loader), "--library-path", libraries, binary] : [binary];
  return { root, libraries, modules: join(libraries, "asterisk", "modules"), command };
}

/**
 * Runs `asterisk -V`.
 * @param {readonly string[]} command
 * @returns {Promise<string | undefined>} version, undefined when it does not run
 */
export async function asteriskVersion(command) {
  const [program = "asterisk", ...args] = command;
  const result = await run(program, [...args, "-V"]);
  return result.code === 0 ? parseVersion(result.stdout) : undefined;
}

/**
 * @param {AsteriskTree} tree
 * @param {readonly string[]} names without `.so`
 * @returns {string[]} those the tree lacks
 */
export function missingModules(tree, names) {
  return names.filter((name) => !existsSync(join(tree.modules, `${name}.so`)));
}
