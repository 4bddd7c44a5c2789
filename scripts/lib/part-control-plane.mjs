import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { buildControlPlane, MODULE } from "./control-plane-build.mjs";
import { downloadControlPlane } from "./control-plane-archive.mjs";
import { SetUpError } from "./errors.mjs";
import { cacheDir } from "./paths.mjs";
import { isExecutable, run } from "./process.mjs";
import { atLeast, parseVersion } from "./versions.mjs";

/** @typedef {import("./parts.mjs").Found} Found */

/** Program and the arguments with which it tells its version. */
const PROGRAMS = { "kube-apiserver": ["--version"], etcd: ["--version"], kubectl: ["version", "--client"] };
/** The rules of crds/ use CEL functions that older API servers do not know. */
const MINIMUM_KUBERNETES = "1.30";
const WORK_PREFIX = "making-";
const OTHER_WAYS = `set KUBEBUILDER_ASSETS to a folder with ${Object.keys(PROGRAMS).join(", ")} (Kubernetes >= ${MINIMUM_KUBERNETES})`;

export const controlPlaneHint =
  `\`node scripts/setup.mjs control-plane\` downloads it or builds it with Go >= 1.25 (about 4 minutes on two cores); or ${OTHER_WAYS}`;

/**
 * KUBEBUILDER_ASSETS first, then the cache.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Found | undefined>}
 * @throws {SetUpError} when KUBEBUILDER_ASSETS is set and not usable
 */
export async function findControlPlane(env) {
  if (env["KUBEBUILDER_ASSETS"]) {
    const folder = resolve(env["KUBEBUILDER_ASSETS"]);
    const { version, problem } = await checkPrograms(folder);
    if (version === undefined) {
      throw new SetUpError(`KUBEBUILDER_ASSETS=${folder} cannot be used`, problem ?? "unknown", `unset it, or ${OTHER_WAYS}`);
    }
    return found(folder, version);
  }
  const folder = join(cacheFolder(env), await pinnedVersion());
  const { version } = await checkPrograms(folder);
  return version === undefined ? undefined : found(folder, version);
}

/** @param {string} folder @param {string} version @returns {Found} */
function found(folder, version) {
  return { where: folder, version: `Kubernetes ${version}`, env: { KUBEBUILDER_ASSETS: folder } };
}

/** @param {NodeJS.ProcessEnv} env */
function cacheFolder(env) {
  return join(cacheDir(env), "control-plane");
}

/** @returns {Promise<string>} version of Kubernetes that the Go module pins, such as `1.35.4` */
async function pinnedVersion() {
  const text = await readFile(join(MODULE, "go.mod"), "utf8");
  const version = /^\s*k8s\.io\/kubernetes v(\S+)/m.exec(text)?.[1];
  if (version === undefined) throw new Error(`${MODULE}/go.mod requires no k8s.io/kubernetes`);
  return version;
}

/** @param {string} folder @returns {Promise<{ version?: string, problem?: string }>} `version` of Kubernetes when all is well */
async function checkPrograms(folder) {
  const missing = Object.keys(PROGRAMS).filter((name) => !isExecutable(join(folder, name)));
  if (missing.length > 0) return { problem: `these executables are missing in it: ${missing.join(", ")}` };
  const results = await Promise.all(Object.entries(PROGRAMS).map(([name, args]) => run(join(folder, name), args)));
  const broken = Object.keys(PROGRAMS).filter((_, index) => results[index]?.code !== 0);
  if (broken.length > 0) return { problem: `these do not run on this machine: ${broken.join(", ")}` };
  const version = parseVersion((results[0]?.stdout ?? "").replace(/^Kubernetes v/, ""));
  if (version === undefined) return { problem: "its kube-apiserver tells no version" };
  return atLeast(version, MINIMUM_KUBERNETES) ? { version } : { problem: `it is ${version}, at least ${MINIMUM_KUBERNETES} is needed` };
}

/**
 * Downloads the programs from the Kubernetes project where it can be reached, else builds them with the machine's Go.
 * They are made beside the target, which is whole or absent.
 * @param {NodeJS.ProcessEnv} env
 * @param {(note: string) => void} progress
 */
export async function getControlPlane(env, progress) {
  const folder = cacheFolder(env);
  const version = await pinnedVersion();
  await mkdir(folder, { recursive: true });
  await removeAbandoned(folder);
  const work = await mkdtemp(join(folder, WORK_PREFIX));
  try {
    await download({ version, target: work, env, progress });
    const { problem } = await checkPrograms(work);
    if (problem !== undefined) throw new SetUpError("The new control plane cannot be used", problem, OTHER_WAYS);
    // mkdtemp makes it private; an unprivileged user of the same checkout may run it too.
    await chmod(work, 0o755);
    const target = join(folder, version);
    await rm(target, { recursive: true, force: true });
    await rename(work, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** @param {{ version: string, target: string, env: NodeJS.ProcessEnv, progress: (note: string) => void }} wanted */
async function download({ version, target, env, progress }) {
  progress("asking for the released programs");
  const refusal = await downloadControlPlane({ version, target, progress });
  if (refusal === undefined) return;
  progress(`${refusal}: building with Go instead`);
  const failure = await buildControlPlane({ version, target, env, progress });
  if (failure === undefined) return;
  const todo = `install Go >= 1.25 with access to Go modules, or ${OTHER_WAYS}`;
  throw new SetUpError("The Kubernetes control plane can neither be downloaded nor built", `${refusal}\n${failure}`, todo);
}

/** Removes what a killed set-up left; the set-up lock is held, so nobody works in these. @param {string} folder */
async function removeAbandoned(folder) {
  const names = (await readdir(folder)).filter((name) => name.startsWith(WORK_PREFIX));
  await Promise.all(names.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}
