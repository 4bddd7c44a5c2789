import { SetUpError } from "./errors.mjs";
import { isRoot, run, tail, which } from "./process.mjs";

const INSTALL_LIMIT_MS = 900_000;

/**
 * Installs a Debian package on this machine; only root can.
 * @param {{ package: string, variable: string, env: NodeJS.ProcessEnv, progress: (note: string) => void }} wanted
 *   `variable` names the path of a program that serves as well
 * @throws {SetUpError} not root, no apt-get, or apt-get failed
 */
export async function installDebianPackage({ package: name, variable, env, progress }) {
  const todo = `as root: apt-get install -y --no-install-recommends ${name}; or set ${variable} to the program's path`;
  const what = `The Debian package ${name} cannot be installed`;
  if (!which("apt-get", env)) throw new SetUpError(what, "apt-get is not on PATH (this machine is no Debian)", `set ${variable} to the program's path`);
  if (!isRoot()) throw new SetUpError(what, "only root may install packages on this machine", todo);
  progress(`apt-get install ${name}`);
  const first = await install(name, env);
  if (first.code === 0) return;
  progress("apt-get update");
  // Some configured sources may be out of reach; what counts is whether the package can be installed now.
  const updated = await aptGet(["update"], env);
  const second = await install(name, env);
  if (second.code !== 0) throw new SetUpError(what, tail(`${updated.code === 0 ? "" : updated.output}\n${second.output}`), todo);
}

/** @param {string} name @param {NodeJS.ProcessEnv} env */
function install(name, env) {
  return aptGet(["install", "-y", "--no-install-recommends", name], env);
}

/** @param {readonly string[]} args @param {NodeJS.ProcessEnv} env */
function aptGet(args, env) {
  const quiet = { ...env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  return run("apt-get", ["-q", "-o", "DPkg::Lock::Timeout=120", ...args], { env: quiet, timeoutMs: INSTALL_LIMIT_MS });
}
