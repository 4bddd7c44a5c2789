import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { ExpectedError, messageOf, wrap } from "../../domain/errors.ts";
import { syncFolder } from "../../shared/files.ts";
import { isErrno, type PostgresBinaries } from "./binaries.ts";
import { type Identity, serverIdentity } from "./identity.ts";

export const SUPERUSER = "dialplane";

/** Passed as the data folder by a process that already stands in it: no folder above it needs to be open to the server's user. */
export const WORKING_DIRECTORY = "/proc/self/cwd";

/** A data folder that is ready to be served. */
export interface Cluster {
  readonly data: string;
  readonly password: string;
  readonly identity: Identity | undefined;
}

const INITDB_TIMEOUT_MS = 120_000;
const ABANDONED_AFTER_MS = 10 * 60_000;
const run = promisify(execFile);

/**
 * Opens `dataDir/cluster` (`data/`, and beside it `password`, mode 0600), or makes it. It is made under another name and renamed when
 * complete, so that an interrupted initialisation starts anew and two at once can't mix.
 *
 * @throws ExpectedError InvalidInput for data of another major version or without its password; PermissionDenied for somebody else's
 */
export async function openCluster(dataDir: string, binaries: PostgresBinaries, durable: boolean): Promise<Cluster & { created: boolean }> {
  const home = join(dataDir, "cluster");
  const created = !existsSync(home);
  if (created) await createCluster(dataDir, home, binaries, durable);
  try {
    await assertVersion(home, binaries.majorVersion);
    const data = join(home, "data");
    const password = await readFile(join(home, "password"), "utf8");
    if (!/^[\w-]{16,}$/.test(password)) throw unusable(`${home}/password holds no password`);
    return { data, password, identity: await serverIdentity(data), created };
  } catch (error) {
    throw explained(home, error);
  }
}

async function assertVersion(home: string, majorVersion: number): Promise<void> {
  const version = (await readFile(join(home, "data/PG_VERSION"), "utf8")).trim();
  if (version !== String(majorVersion)) {
    throw unusable(`${home} was written by PostgreSQL ${version}, this release has ${majorVersion}: dump it with the old one, then restore`);
  }
}

function explained(home: string, error: unknown): unknown {
  if (isErrno(error, "EACCES", "EPERM")) {
    return new ExpectedError("PermissionDenied", `${home} belongs to another user: ${messageOf(error)}`, { field: "dataDir", cause: error });
  }
  if (isErrno(error, "ENOENT")) {
    return unusable(`${home} is not complete: ${messageOf(error)}; restore the file, or remove the folder to start with an empty database`);
  }
  return error;
}

function unusable(message: string): ExpectedError {
  return new ExpectedError("InvalidInput", message, { field: "dataDir" });
}

async function createCluster(dataDir: string, home: string, binaries: PostgresBinaries, durable: boolean): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await removeAbandoned(dataDir);
    const made = await mkdtemp(join(dataDir, "cluster.init-"));
    try {
      await initialise(made, binaries, durable);
      await rename(made, home);
      if (durable) await syncFolder(dataDir);
    } catch (error) {
      // Another process may have been faster; its cluster is as good.
      if (!isErrno(error, "ENOTEMPTY", "EEXIST")) throw error;
    } finally {
      await rm(made, { recursive: true, force: true });
    }
  } catch (error) {
    throw wrap(`creating a database in ${dataDir}`, error);
  }
}

async function initialise(home: string, binaries: PostgresBinaries, durable: boolean): Promise<void> {
  const identity = await serverIdentity(undefined);
  const data = join(home, "data");
  await chmod(home, identity === undefined ? 0o700 : 0o711);
  await mkdir(data, { mode: 0o700 });
  await writeSecret(join(home, "password"), randomBytes(24).toString("base64url"), identity);
  if (identity !== undefined) await chown(data, identity.uid, identity.gid);
  const options = ["--username", SUPERUSER, "--pwfile", "../password", "--auth", "scram-sha-256", "--encoding", "UTF8"];
  const locale = ["--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"];
  const speed = durable ? [] : ["--no-sync"];
  // initdb reads the password as the server's user, and the way to it leads through the working directory's parent only.
  await run(binaries.initdb, ["--pgdata", WORKING_DIRECTORY, ...options, ...locale, ...speed], {
    ...identity,
    cwd: data,
    env: serverEnvironment(),
    timeout: INITDB_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
}

/** libpq's and PostgreSQL's own variables (PGDATA, PGPORT, ...) of whoever started us must not reach the server. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], LC_ALL: "C", TZ: "UTC" };
}

async function writeSecret(path: string, secret: string, owner: Identity | undefined): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(secret);
    if (owner !== undefined) await file.chown(owner.uid, owner.gid);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What a killed process left half made; young ones may belong to a process that is still at it. */
async function removeAbandoned(dataDir: string): Promise<void> {
  for (const name of (await readdir(dataDir)).filter((entry) => entry.startsWith("cluster.init-"))) {
    const path = join(dataDir, name);
    const entry = await stat(path).catch(() => undefined);
    if (entry !== undefined && Date.now() - entry.mtimeMs > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true });
  }
}
