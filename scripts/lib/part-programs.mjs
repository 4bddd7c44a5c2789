import { SetUpError } from "./errors.mjs";
import { isExecutable, run, which } from "./process.mjs";
import { parseVersion } from "./versions.mjs";

/** @typedef {import("./parts.mjs").Found} Found */

/**
 * A program that Debian packages: found by its variable, then on PATH.
 * @typedef {{ variable: string, names: string[], versionArgs: string[], package: string }} Program
 */

/** @type {Program} */
export const SIPP = { variable: "SIPP_PATH", names: ["sipp"], versionArgs: ["-v"], package: "sip-tester" };

/** @type {Program} */
export const CHROMIUM = {
  variable: "CHROMIUM_PATH",
  names: ["chromium", "chromium-browser", "google-chrome"],
  versionArgs: ["--version"],
  package: "chromium",
};

/** @param {Program} program */
export function programHint(program) {
  return `as root \`apt-get install -y --no-install-recommends ${program.package}\`, or set ${program.variable}`;
}

/**
 * @param {Program} program
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Found | undefined>}
 * @throws {SetUpError} when the variable is set and its program does not run
 */
export async function findProgram(program, env) {
  const explicit = env[program.variable];
  if (explicit) {
    const version = isExecutable(explicit) ? await versionOf(program, explicit) : undefined;
    if (version) return { where: explicit, version, env: { [program.variable]: explicit } };
    const why = isExecutable(explicit) ? `it does not tell a version with ${program.versionArgs.join(" ")}` : "it is no executable file";
    throw new SetUpError(`${program.variable}=${explicit} cannot be used`, why, `correct it, or unset it and ${programHint(program)}`);
  }
  for (const name of program.names) {
    const path = which(name, env);
    const version = path ? await versionOf(program, path) : undefined;
    if (path && version) return { where: path, version, env: { [program.variable]: path } };
  }
  return undefined;
}

/**
 * The exit code says nothing: SIPp ends with 99 after printing its version.
 * @param {Program} program @param {string} path
 */
async function versionOf(program, path) {
  const result = await run(path, program.versionArgs);
  return parseVersion(result.stdout);
}
