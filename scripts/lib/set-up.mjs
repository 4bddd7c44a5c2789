import { delimiter, join } from "node:path";
import { SetUpError } from "./errors.mjs";
import { withLock } from "./lock.mjs";
import { PARTS } from "./parts.mjs";
import { cacheDir, NODE_MODULES_BIN } from "./paths.mjs";
import { startStep } from "./progress.mjs";

/** @typedef {import("./parts.mjs").Part} Part */
/** @typedef {import("./parts.mjs").Found} Found */

/**
 * Makes the named parts available; installs only what is missing.
 * @param {readonly string[]} names of parts; none means all
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<NodeJS.ProcessEnv>} environment for child processes: ASTERISK_ROOT, SIPP_PATH, CHROMIUM_PATH and KUBEBUILDER_ASSETS
 *   of the parts asked for, and a PATH on which `node` is Node 24
 * @throws {SetUpError} a part cannot be had; parts set up before it stay
 */
export async function setUp(names, env = process.env) {
  const result = { ...env };
  for (const part of partsNamed(names)) {
    const found = await ensure(part, env);
    Object.assign(result, found.env);
  }
  const path = (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== NODE_MODULES_BIN);
  return { ...result, PATH: [NODE_MODULES_BIN, ...path].join(delimiter) };
}

/**
 * @param {readonly string[]} names
 * @returns {readonly Part[]} in the order of PARTS
 * @throws {SetUpError} a name is unknown
 */
export function partsNamed(names) {
  const known = PARTS.map((part) => part.name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new SetUpError(`Unknown part: ${unknown.join(", ")}`, "there is no such part", `use one or more of: ${known.join(", ")}`);
  }
  return names.length === 0 ? PARTS : PARTS.filter((part) => names.includes(part.name));
}

/** @param {Part} part @param {NodeJS.ProcessEnv} env @returns {Promise<Found>} */
async function ensure(part, env) {
  const step = startStep(part.title);
  const cached = await part.find(env);
  if (cached) {
    step.done(`${cached.version} found`);
    return cached;
  }
  try {
    const action = () => install(part, env, step);
    return part.writesCheckout ? await withLock(join(cacheDir(env), "set-up.lock"), action, step.note) : await action();
  } catch (error) {
    step.failed();
    throw explainDiskError(error, part.title);
  }
}

/** A folder that cannot be written is the machine's fault, not ours. @param {unknown} error @param {string} title */
function explainDiskError(error, title) {
  const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
  if (!["EACCES", "EPERM", "EROFS", "ENOSPC"].includes(code ?? "")) return error;
  const todo = "make the checkout writable for this user, or set DIALPLANE_CACHE_DIR to a folder that is";
  return new SetUpError(`${title} cannot be set up`, message, todo);
}

/** @param {Part} part @param {NodeJS.ProcessEnv} env @param {ReturnType<typeof startStep>} step @returns {Promise<Found>} */
async function install(part, env, step) {
  // Another process may have installed it while this one waited for the lock.
  const already = await part.find(env);
  if (already === undefined) await part.get(env, step.note);
  const found = already ?? (await part.find(env));
  if (!found) throw new SetUpError(`${part.title} is still missing`, "it was installed, yet it does not run", part.hint);
  step.done(`${found.version} ready`);
  return found;
}
