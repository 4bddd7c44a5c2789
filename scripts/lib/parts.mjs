import { installDebianPackage } from "./debian-package.mjs";
import { asteriskHint, findAsterisk, getAsterisk } from "./part-asterisk.mjs";
import { controlPlaneHint, findControlPlane, getControlPlane } from "./part-control-plane.mjs";
import { findPackages, getPackages, npmHint } from "./part-npm.mjs";
import { findPostgres, getPostgres, postgresHint } from "./part-postgres.mjs";
import { CHROMIUM, findProgram, programHint, SIPP } from "./part-programs.mjs";

/**
 * A part that is there and runs; `env` is what child processes need to find it.
 * @typedef {{ where: string, version: string, env: Record<string, string> }} Found
 */

/**
 * A real part the project runs on. `find` only looks (well under a second); `get` installs what `find` did not find.
 * @typedef {object} Part
 * @property {string} name
 * @property {string} title
 * @property {string} hint how to get it
 * @property {(env: NodeJS.ProcessEnv) => Promise<Found | undefined>} find
 * @property {(env: NodeJS.ProcessEnv, progress: (note: string) => void) => Promise<void>} get
 * @property {boolean} writesCheckout true when `get` writes into the checkout: then one process at a time may do it
 */

/** @type {readonly Part[]} in the order in which they are set up: postgres comes with npm */
export const PARTS = [
  { name: "npm", title: "npm packages", hint: npmHint, find: findPackages, get: getPackages, writesCheckout: true },
  { name: "asterisk", title: "Asterisk", hint: asteriskHint, find: findAsterisk, get: getAsterisk, writesCheckout: true },
  { name: "postgres", title: "PostgreSQL", hint: postgresHint, find: findPostgres, get: getPostgres, writesCheckout: true },
  debianProgram("sipp", "SIPp", SIPP),
  debianProgram("chromium", "Chromium", CHROMIUM),
  {
    name: "control-plane",
    title: "Kubernetes API",
    hint: controlPlaneHint,
    find: findControlPlane,
    get: getControlPlane,
    writesCheckout: true,
  },
];

/** @param {string} name @param {string} title @param {import("./part-programs.mjs").Program} program @returns {Part} */
function debianProgram(name, title, program) {
  return {
    name,
    title,
    hint: programHint(program),
    find: (env) => findProgram(program, env),
    get: (env, progress) => installDebianPackage({ package: program.package, variable: program.variable, env, progress }),
    writesCheckout: false,
  };
}
