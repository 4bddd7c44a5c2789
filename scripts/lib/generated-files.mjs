import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, join, normalize } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * A file in scripts/generators/ exports it: contents by path relative to the checkout.
 * @typedef {() => Promise<Record<string, string>>} Generate
 */

const MARK = "DO NOT EDIT";

/**
 * Runs every generator of a folder, one after the other.
 * @param {string} folder may be absent
 * @returns {Promise<Map<string, string>>} contents by path relative to the checkout
 */
export async function runGenerators(folder) {
  const names = (await readdir(folder).catch(() => [])).filter((name) => /\.(mjs|ts)$/.test(name)).sort();
  /** @type {Map<string, string>} */
  const files = new Map();
  for (const name of names) {
    for (const [path, content] of Object.entries(await generatedBy(join(folder, name)))) {
      if (isAbsolute(path) || normalize(path).startsWith("..")) throw new Error(`${name} generates ${path}: must be a path inside the checkout`);
      if (files.has(path)) throw new Error(`${name} generates ${path}, which another generator makes already`);
      files.set(path, content);
    }
  }
  return files;
}

/** @param {string} file @returns {Promise<Record<string, string>>} */
async function generatedBy(file) {
  const module = /** @type {{ generate?: Generate }} */ (await import(pathToFileURL(file).href));
  if (typeof module.generate !== "function") throw new Error(`${file} must export generate(): Promise<Record<path, content>>`);
  try {
    return await module.generate();
  } catch (error) {
    throw new Error(`while running ${file}: ${/** @type {Error} */ (error).message}`, { cause: error });
  }
}

/**
 * Writes those that differ.
 * @param {string} root @param {ReadonlyMap<string, string>} files
 * @returns {Promise<string[]>} paths written
 */
export async function writeFiles(root, files) {
  const changed = [];
  for (const [path, content] of files) {
    const target = join(root, path);
    if ((await readOrNothing(target)) === content) continue;
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
    changed.push(path);
  }
  return changed;
}

/**
 * Compares the files on disk with what their generators make.
 * @param {string} root @param {ReadonlyMap<string, string>} files
 * @returns {Promise<string[]>} one message a file that is not as it must be
 */
export async function compareFiles(root, files) {
  const messages = [];
  for (const [path, content] of files) {
    const present = await readOrNothing(join(root, path));
    if (present === undefined) messages.push(`${path}: is missing`);
    else if (present !== content) messages.push(`${path}: ${firstDifferingLine(present, content)}`);
    if (!path.endsWith(".json") && !content.includes(MARK)) messages.push(`${path}: its generator must put a line with "${MARK}" into it`);
  }
  return messages;
}

/**
 * @param {string} present @param {string} generated
 * @returns {string} where the two part
 */
export function firstDifferingLine(present, generated) {
  const have = present.split("\n");
  const want = generated.split("\n");
  const index = [...have.keys(), have.length].find((i) => have[i] !== want[i]) ?? 0;
  return `line ${index + 1} is ${quote(have[index])}, generated is ${quote(want[index])}`;
}

/** @param {string | undefined} line */
function quote(line) {
  return line === undefined ? "(end of file)" : JSON.stringify(line.slice(0, 120));
}

/** @param {string} path */
function readOrNothing(path) {
  return readFile(path, "utf8").catch(() => undefined);
}
