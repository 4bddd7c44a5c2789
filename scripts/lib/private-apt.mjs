import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isRoot, run } from "./process.mjs";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const DOWNLOAD_LIMIT_MS = 600_000;

/**
 * An apt of our own beside the machine's: own lists, own archive cache and an EMPTY list of installed packages,
 * so the closure it resolves is complete and nothing on the host is read or changed. Needs no root.
 * The machine's proxy and credential settings stay in force.
 * @typedef {{ config: string, archives: string }} PrivateApt
 */

/**
 * @param {string} folder made when missing; downloads in it are kept
 * @param {string} mirror address of a Debian archive
 * @param {string} suite such as `testing`
 * @returns {Promise<PrivateApt>}
 */
export async function openPrivateApt(folder, mirror, suite) {
  const state = join(folder, suite);
  const archives = join(folder, "archives");
  await Promise.all([join(state, "lists", "partial"), join(archives, "partial")].map((path) => mkdir(path, { recursive: true })));
  const signedBy = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : "";
  await writeFile(join(state, "sources.list"), `deb ${signedBy}${mirror} ${suite} main\n`);
  await writeFile(join(state, "status"), "");
  const config = join(state, "apt.conf");
  await writeFile(config, configText(state, archives));
  return { config, archives };
}

/** @param {string} state @param {string} archives */
function configText(state, archives) {
  const settings = [
    ["Dir::Etc::SourceList", join(state, "sources.list")],
    ["Dir::Etc::SourceParts", "/dev/null"],
    ["Dir::Etc::Preferences", "/dev/null"],
    ["Dir::Etc::PreferencesParts", "/dev/null"],
    ["Dir::State", state],
    ["Dir::State::Lists", join(state, "lists")],
    ["Dir::State::Status", join(state, "status")],
    ["Dir::State::extended_states", join(state, "extended_states")],
    ["Dir::Cache", state],
    ["Dir::Cache::Archives", archives],
    ["APT::Keep-Downloaded-Packages", "true"],
    ["APT::Install-Recommends", "false"],
    ["Acquire::Languages", "none"],
    ["Acquire::Retries", "2"],
    ["Acquire::Check-Valid-Until", "true"],
    // apt drops to the user _apt when root, who may not write into a checkout.
    ...(isRoot() ? [["APT::Sandbox::User", "root"]] : []),
  ];
  // Container images delete downloads in these hooks; without root they would only fail.
  const cleared = ["APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success", "DPkg::Post-Invoke", "DPkg::Pre-Install-Pkgs"];
  return [...cleared.map((name) => `#clear ${name};`), ...settings.map(([name, value]) => `${name} "${value}";`), ""].join("\n");
}

/** @param {PrivateApt} apt @param {readonly string[]} args */
function aptGet(apt, args) {
  return run("apt-get", ["-c", apt.config, "-q", ...args], { timeoutMs: DOWNLOAD_LIMIT_MS, env: { ...process.env, LC_ALL: "C" } });
}

/** Fetches the suite's package lists. @param {PrivateApt} apt */
export function updateLists(apt) {
  return aptGet(apt, ["update"]);
}

/**
 * Version the suite offers.
 * @param {PrivateApt} apt
 * @param {string} name of a package
 * @returns {Promise<string | undefined>} undefined when the suite lacks it
 */
export async function candidateVersion(apt, name) {
  const result = await run("apt-cache", ["-c", apt.config, "policy", name], { env: { ...process.env, LC_ALL: "C" } });
  const version = /^\s*Candidate:\s*(\S+)/m.exec(result.stdout)?.[1];
  return version === "(none)" ? undefined : version;
}

/**
 * Downloads a package and all it depends on; files that are there already are not fetched again.
 * @param {PrivateApt} apt
 * @param {string} name of a package
 * @returns {Promise<{ files: string[], failure?: string }>} paths of the .deb files
 */
export async function downloadClosure(apt, name) {
  const install = ["install", "-y", "--no-install-recommends", name];
  const listed = await aptGet(apt, [...install, "--print-uris", "-o", "Dir::Cache::Archives=/dev/null/none"]);
  const wanted = listed.stdout.split("\n").flatMap((line) => /^'[^']+' (\S+\.deb) /.exec(line)?.[1] ?? []);
  if (listed.code !== 0 || wanted.length === 0) return { files: [], failure: listed.output };
  const fetched = await aptGet(apt, [...install, "--download-only"]);
  const present = new Set(await readdir(apt.archives));
  const missing = wanted.filter((file) => !present.has(file));
  if (fetched.code !== 0 || missing.length > 0) return { files: [], failure: `${fetched.output}\nmissing: ${missing.join(" ")}` };
  return { files: wanted.map((file) => join(apt.archives, file)) };
}

/** Reads a list with one name a line; `#` starts a comment. @param {string} path */
export async function readNames(path) {
  const text = await readFile(path, "utf8");
  return text.split("\n").map((line) => line.replace(/#.*/, "").trim()).filter((line) => line !== "");
}
