import { readFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { SetUpError } from "./errors.mjs";
import { firstDifference } from "./lockfile.mjs";
import { NODE_24, NODE_MODULES_BIN, ROOT } from "./paths.mjs";
import { run, tail, which } from "./process.mjs";
import { parseVersion } from "./versions.mjs";

/** @typedef {import("./parts.mjs").Found} Found */
/** @typedef {import("./lockfile.mjs").Lockfile} Lockfile */

const INSTALL_LIMIT_MS = 600_000;

export const npmHint = "`node scripts/setup.mjs npm` (runs `npm ci`)";

/**
 * The npm packages are there when node_modules holds what package-lock.json wants.
 * @returns {Promise<Found | undefined>}
 */
export async function findPackages() {
  const [wanted, installed] = await Promise.all([
    readLockfile(join(ROOT, "package-lock.json")),
    readLockfile(join(ROOT, "node_modules", ".package-lock.json")),
  ]);
  if (!wanted || !installed || firstDifference(wanted, installed) !== undefined) return undefined;
  const node = await findNode();
  if (!node) return undefined;
  const count = Object.keys(installed.packages ?? {}).length;
  return { where: join(ROOT, "node_modules"), version: `${count} packages`, env: {} };
}

/**
 * Node 24 comes as an npm package, so that everything runs on it whatever Node the machine has.
 * @returns {Promise<Found | undefined>}
 */
export async function findNode() {
  const result = await run(NODE_24, ["--version"]);
  const version = parseVersion(result.stdout.replace(/^v/, ""));
  return result.code === 0 && version?.startsWith("24.") ? { where: NODE_24, version, env: {} } : undefined;
}

/** @param {string} path @returns {Promise<Lockfile | undefined>} */
async function readLockfile(path) {
  try {
    return /** @type {Lockfile} */ (JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined;
  }
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {(note: string) => void} progress
 */
export async function getPackages(env, progress) {
  const path = pathWithout(env["PATH"] ?? "", NODE_MODULES_BIN);
  const withNode = [path, dirname(process.execPath)].join(delimiter);
  const npm = which("npm", { PATH: withNode });
  if (!npm) {
    throw new SetUpError("The npm packages cannot be installed", "npm is not on PATH", "install Node.js 18 or newer with npm");
  }
  progress("npm ci");
  const result = await run(npm, ["ci", "--no-audit", "--no-fund"], { cwd: ROOT, env: { ...env, PATH: withNode }, timeoutMs: INSTALL_LIMIT_MS });
  if (result.code !== 0) {
    throw new SetUpError("`npm ci` failed", tail(result.output, 20), "check the network and npm's registry setting, then try again");
  }
  if (!(await findNode())) {
    const why = `${NODE_24} does not run Node 24 (npm may have blocked the install script of the package \`node\`)`;
    throw new SetUpError("The npm packages are incomplete", why, "`npm rebuild node`; see allowScripts in package.json");
  }
}

/**
 * npm must not run on the Node in node_modules: `npm ci` deletes it on the way.
 * @param {string} path @param {string} folder
 */
function pathWithout(path, folder) {
  return path.split(delimiter).filter((entry) => entry !== folder).join(delimiter);
}
