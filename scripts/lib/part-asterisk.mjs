import { chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { asteriskVersion, MINIMUM_ASTERISK, missingModules, openTree } from "./asterisk-tree.mjs";
import { SetUpError } from "./errors.mjs";
import { debianMirrors, readAptSources } from "./mirrors.mjs";
import { cacheDir, ROOT } from "./paths.mjs";
import { candidateVersion, downloadClosure, openPrivateApt, readNames, updateLists } from "./private-apt.mjs";
import { run, tail, which } from "./process.mjs";
import { atLeast, parseVersion } from "./versions.mjs";

/** @typedef {import("./parts.mjs").Found} Found */
/** @typedef {import("./private-apt.mjs").PrivateApt} PrivateApt */

/** Debian suites that carry Asterisk 22, the steadier first. */
const SUITES = ["testing", "sid"];
const PACKAGE = "asterisk";
const WORK_PREFIX = "unpacking-";
const OTHER_WAYS =
  `install Asterisk >= ${MINIMUM_ASTERISK} so that \`asterisk\` is on PATH, or set ASTERISK_ROOT to an unpacked tree ` +
  "(usr/sbin/asterisk, usr/lib/<triplet>/asterisk/modules)";

export const asteriskHint =
  `\`node scripts/setup.mjs asterisk\` unpacks it from Debian packages into .cache (no root needed); or ${OTHER_WAYS}`;

/** @param {NodeJS.ProcessEnv} env */
export function asteriskRoot(env) {
  return join(cacheDir(env), "asterisk", "root");
}

/**
 * ASTERISK_ROOT first, then PATH, then the private folder.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Found | undefined>}
 * @throws {SetUpError} when ASTERISK_ROOT is set and not usable
 */
export async function findAsterisk(env) {
  if (env["ASTERISK_ROOT"]) return findExplicit(resolve(env["ASTERISK_ROOT"]));
  const onPath = which("asterisk", env);
  const version = onPath ? await asteriskVersion([onPath]) : undefined;
  if (onPath && version && atLeast(version, MINIMUM_ASTERISK)) return { where: onPath, version, env: {} };
  const root = asteriskRoot(env);
  const { problem, ...found } = await checkTree(root);
  return problem === undefined && found.version ? { where: root, version: found.version, env: { ASTERISK_ROOT: root } } : undefined;
}

/** @param {string} root @returns {Promise<Found>} */
async function findExplicit(root) {
  const { version, problem } = await checkTree(root);
  if (problem !== undefined || version === undefined) {
    throw new SetUpError(`ASTERISK_ROOT=${root} cannot be used`, problem ?? "unknown", `unset ASTERISK_ROOT, or ${OTHER_WAYS}`);
  }
  return { where: root, version, env: { ASTERISK_ROOT: root } };
}

/** @param {string} root @returns {Promise<{ version?: string, problem?: string }>} */
async function checkTree(root) {
  const tree = await openTree(root);
  if (!tree) return { problem: "usr/sbin/asterisk or usr/lib/<triplet>/asterisk/modules is missing in it" };
  const missing = missingModules(tree, await readNames(join(ROOT, "asterisk-image", "modules.txt")));
  if (missing.length > 0) return { problem: `these modules are missing in it: ${missing.join(", ")}` };
  const version = await asteriskVersion(tree.command);
  if (version === undefined) return { problem: "its asterisk does not run on this machine" };
  return atLeast(version, MINIMUM_ASTERISK) ? { version } : { problem: `it is ${version}, at least ${MINIMUM_ASTERISK} is needed` };
}

/**
 * Unpacks Asterisk and all libraries it needs from Debian packages into the cache, as any user.
 * @param {NodeJS.ProcessEnv} env `DEBIAN_MIRROR` replaces the mirror of the machine's apt configuration
 * @param {(note: string) => void} progress
 */
export async function getAsterisk(env, progress) {
  const needed = ["apt-get", "apt-cache", "dpkg"].filter((name) => which(name, env) === undefined);
  if (needed.length > 0) {
    throw new SetUpError("Asterisk cannot be fetched", `not on PATH: ${needed.join(", ")} (this machine is no Debian)`, OTHER_WAYS);
  }
  const folder = join(cacheDir(env), "asterisk");
  const files = await download(join(folder, "apt"), await mirrors(env), progress);
  progress(`unpacking ${files.length} packages`);
  await unpack(files, folder, asteriskRoot(env));
}

/** @param {NodeJS.ProcessEnv} env */
async function mirrors(env) {
  const found = env["DEBIAN_MIRROR"] ? [env["DEBIAN_MIRROR"]] : debianMirrors(await readAptSources());
  if (found.length > 0) return found;
  const why = "apt's configuration (/etc/apt/sources.list, /etc/apt/sources.list.d) names no Debian archive with `main`";
  throw new SetUpError("Asterisk cannot be fetched", why, `set DEBIAN_MIRROR to the address of one, or ${OTHER_WAYS}`);
}

/**
 * Tries every mirror and suite in turn.
 * @param {string} folder
 * @param {readonly string[]} addresses
 * @param {(note: string) => void} progress
 * @returns {Promise<string[]>} paths of the .deb files
 */
async function download(folder, addresses, progress) {
  const failures = [];
  for (const mirror of addresses) {
    for (const suite of SUITES) {
      progress(`asking the Debian archive for ${suite}`);
      const result = await downloadFrom(await openPrivateApt(folder, mirror, suite), progress);
      if (result.files.length > 0) return result.files;
      failures.push(`${mirror} ${suite}: ${tail(result.failure ?? "", 5)}`);
    }
  }
  throw new SetUpError("Asterisk cannot be fetched", failures.join("\n"), `check the network and apt's proxy settings, or ${OTHER_WAYS}`);
}

/** @param {PrivateApt} apt @param {(note: string) => void} progress @returns {Promise<{ files: string[], failure?: string }>} */
async function downloadFrom(apt, progress) {
  // Lists of an earlier run may still serve when the network is away, so a failed update is not the end.
  const updated = await updateLists(apt);
  const candidate = await candidateVersion(apt, PACKAGE);
  if (!candidate) return { files: [], failure: updated.code === 0 ? "it has no package `asterisk`" : updated.output };
  const version = parseVersion(candidate);
  if (!version || !atLeast(version, MINIMUM_ASTERISK)) {
    return { files: [], failure: `it offers Asterisk ${candidate}, at least ${MINIMUM_ASTERISK} is needed` };
  }
  progress(`downloading Asterisk ${version} and its libraries`);
  return downloadClosure(apt, PACKAGE);
}

/**
 * Unpacks beside the target and renames at the end: the target is whole or absent.
 * @param {readonly string[]} files @param {string} folder @param {string} target
 */
async function unpack(files, folder, target) {
  await mkdir(folder, { recursive: true });
  await removeAbandoned(folder);
  const work = await mkdtemp(join(folder, WORK_PREFIX));
  try {
    for (const file of files) {
      const result = await run("dpkg", ["-x", file, work], { timeoutMs: 120_000 });
      if (result.code !== 0) {
        const todo = `free disk space, or remove ${folder} and try again`;
        throw new SetUpError(`${file} cannot be unpacked`, tail(result.output, 5), todo);
      }
    }
    // Two thirds of the size, and nothing runs from there.
    const unused = ["doc", "man", "locale", "info", "i18n"].map((name) => join(work, "usr", "share", name));
    await Promise.all(unused.map((path) => rm(path, { recursive: true, force: true })));
    const { problem } = await checkTree(work);
    if (problem !== undefined) throw new SetUpError("The unpacked Asterisk cannot be used", problem, OTHER_WAYS);
    // mkdtemp makes it private; an unprivileged Asterisk must reach it too.
    await chmod(work, 0o755);
    await rm(target, { recursive: true, force: true });
    await rename(work, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Removes what a killed set-up left; the set-up lock is held, so nobody works in these. @param {string} folder */
async function removeAbandoned(folder) {
  const names = (await readdir(folder)).filter((name) => name.startsWith(WORK_PREFIX));
  await Promise.all(names.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}
