import { spawn, type ChildProcess } from "node:child_process";
import { open, readFile, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import pg from "pg";
import type { Logger } from "../domain/ports.ts";

import { anyFreeTcpPort, assertCanListen } from "../adapters/asterisk-process/listen-check.ts";
import { ExpectedError, messageOf } from "../domain/errors.ts";
import { type Exit, exitOf, terminate } from "../shared/child-process.ts";
import { locateBinaries, type PostgresBinaries } from "./postgres/binaries.ts";
import { type Cluster, openCluster, serverEnvironment, SUPERUSER, WORKING_DIRECTORY } from "./postgres/cluster.ts";
import { guarded } from "./postgres/identity.ts";

export interface PostgresOptions {
  /** An absolute path; the folder is made when missing and is PostgreSQL's alone: `cluster/data`, `cluster/password`, `postgres.log`. */
  readonly dataDir: string;
  /** On 127.0.0.1; a free one when not given. */
  readonly port?: number;
  readonly logger: Logger;
  /** Further server settings (`{fsync: "off"}`); what keeps the server on loopback can't be changed. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running PostgreSQL that belongs to this process and ends with it, even when this process is killed. */
export interface RunningPostgres {
  /** With the superuser's password: never log it. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly logFile: string;
  /** SIGINT (clients are cut off, the data is written), SIGKILL after 10 s. Resolves when the process is gone; may be called again. */
  stop(): Promise<void>;
  readonly exited: Promise<Exit>;
}

interface Launched {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  readonly log: { readonly path: string; readonly from: number };
}

/** Recovery after a crash replays at most `max_wal_size` (1 GB). */
const READY_TIMEOUT_MS = 120_000;
const STOP = { signal: "SIGINT", killAfterMs: 10_000 } as const;
/** How long a server of a killed predecessor may take to leave the data folder. */
const PREDECESSOR_TIMEOUT_MS = 5_000;
const LOG_ROTATE_BYTES = 10_000_000;
const MAX_LOG_TAIL_LINES = 8;

const DEFAULTS = { fsync: "on", synchronous_commit: "on", shared_buffers: "128MB", max_connections: "200", log_checkpoints: "off", timezone: "UTC" };
const FIXED = ["listen_addresses", "port", "unix_socket_directories"];

/**
 * Starts the PostgreSQL that npm installed, on 127.0.0.1 and TCP only, with a password of its own; as root it runs as `nobody`
 * or as the owner of the data. A folder without data is initialised first (about 0.7 s).
 *
 * @throws ExpectedError PortInUse naming the port; Conflict when another server has the data; MissingPart without the binaries;
 *   InvalidInput for an unusable setting, port or data folder; Unavailable when it ends or is not ready within 120 s, with the end of its log
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const settings = checkedSettings(options);
  const startedAt = performance.now();
  const binaries = await locateBinaries();
  const cluster = await openCluster(options.dataDir, binaries, settings["fsync"] !== "off");
  await predecessorGone(cluster.data);
  const port = options.port ?? (await anyFreeTcpPort());
  await assertCanListen([{ transport: "tcp", address: "127.0.0.1", port, purpose: "PostgreSQL" }]);
  const url = `postgres://${SUPERUSER}:${cluster.password}@127.0.0.1:${port}/postgres`;
  const { child, exited, log } = await launchUntilReady(() => launch(binaries, cluster, { ...options, settings, port }), { url, port });
  const pid = child.pid ?? -1;
  const durationMs = Math.round(performance.now() - startedAt);
  options.logger.info({ pid, port, created: cluster.created, uid: cluster.identity?.uid, durationMs }, "postgres started");
  return { url, port, pid, logFile: log.path, exited, stop: () => terminate(child, exited, STOP) };
}

function checkedSettings({ dataDir, port, settings = {} }: PostgresOptions): Readonly<Record<string, string>> {
  if (!isAbsolute(dataDir)) throw new ExpectedError("InvalidInput", "dataDir must be an absolute path", { field: "dataDir" });
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw new ExpectedError("InvalidInput", "port must be an integer from 1 to 65535", { field: "port" });
  }
  for (const name of Object.keys(settings)) {
    if (!/^[a-z_][a-z0-9_.]*$/.test(name) || FIXED.includes(name)) {
      const allowed = `must be the lower-case name of a server setting other than ${FIXED.join(", ")}`;
      throw new ExpectedError("InvalidInput", `settings.${name} ${allowed}`, { field: `settings.${name}` });
    }
  }
  return { ...DEFAULTS, ...settings };
}

/** After `kill -9` of our predecessor its server needs a moment to leave. A stale file PostgreSQL itself recognises and removes. */
async function predecessorGone(data: string): Promise<void> {
  const folder = await realpath(data);
  const deadline = Date.now() + PREDECESSOR_TIMEOUT_MS;
  let pid = await serverOf(data, folder);
  while (pid !== undefined && Date.now() < deadline) {
    await sleep(50);
    pid = await serverOf(data, folder);
  }
  if (pid === undefined) return;
  const message = `another PostgreSQL (process ${pid}) is running on ${data}: stop it, or use another data folder`;
  throw new ExpectedError("Conflict", message, { field: "dataDir" });
}

/**
 * A server stands in its data folder; the number in the file may belong to another program by now (a container that was started
 * again has the same few numbers). PostgreSQL would refuse to start when that program is of the same user, so the file is removed.
 */
async function serverOf(data: string, folder: string): Promise<number | undefined> {
  const file = join(data, "postmaster.pid");
  const pid = Number.parseInt(await readFile(file, "utf8").catch(() => ""), 10);
  if (!(pid > 0)) return undefined;
  const standsIn = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  if (standsIn === folder) return pid;
  if (standsIn !== undefined) await rm(file, { force: true });
  return undefined;
}

async function launch(
  binaries: PostgresBinaries,
  cluster: Cluster,
  { dataDir, port, settings = {} }: PostgresOptions & { readonly port: number },
): Promise<Launched> {
  const fixed = { listen_addresses: "127.0.0.1", port: String(port), unix_socket_directories: "" };
  const flags = Object.entries({ ...settings, ...fixed }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const { command, options, guard } = guarded(binaries.postgres, cluster.identity);
  const [program = "", ...rest] = [...command, "-D", WORKING_DIRECTORY, ...flags];
  const path = join(dataDir, "postgres.log");
  const from = await rotated(path);
  const output = await open(path, "a", 0o600);
  try {
    // In a session of its own: Ctrl-C on a terminal must not cut the database off before the calls are ended and written.
    const stdio = ["ignore", output.fd, output.fd] as const;
    const child = spawn(program, rest, { ...options, stdio: [...stdio], cwd: cluster.data, env: serverEnvironment(), detached: true });
    if (!guard) process.once("exit", () => child.kill("SIGQUIT"));
    return { child, exited: exitOf(child), log: { path, from } };
  } finally {
    await output.close();
  }
}

/** Keeps one former log. Answers where this run's part will begin, in bytes. */
async function rotated(path: string): Promise<number> {
  const size = await stat(path).then(
    (entry) => entry.size,
    () => 0,
  );
  if (size < LOG_ROTATE_BYTES) return size;
  await rename(path, `${path}.1`);
  return 0;
}

/**
 * What PostgreSQL refuses to start for and what passes by itself: backends of a server that was killed keep its shared memory until
 * they notice; another server that starts at this moment has made its lock file and has not written it yet.
 */
const PASSING = /pre-existing shared memory block|lock file "postmaster\.pid" is empty/;

async function launchUntilReady(start: () => Promise<Launched>, address: { url: string; port: number }): Promise<Launched> {
  const deadline = Date.now() + PREDECESSOR_TIMEOUT_MS;
  for (;;) {
    const launched = await start();
    const problem = await readiness(launched, address.url);
    if (problem === undefined) return launched;
    await terminate(launched.child, launched.exited, STOP);
    const tail = await logTail(launched);
    if (PASSING.test(tail) && Date.now() < deadline) {
      await sleep(100);
      continue;
    }
    throw failure(problem, tail, address.port);
  }
}

function failure(problem: string, tail: string, port: number): ExpectedError {
  if (tail.includes("could not bind")) {
    return new ExpectedError("PortInUse", `PostgreSQL can't listen on 127.0.0.1:${port}/tcp: ${tail}`, { field: "port" });
  }
  const taken = /lock file "postmaster\.pid" already exists|pre-existing shared memory block/.test(tail);
  return new ExpectedError(taken ? "Conflict" : "Unavailable", `${problem}: ${tail || "it logged nothing"}`);
}

/** @returns what is wrong, or undefined when it answers queries */
async function readiness({ exited }: Launched, url: string): Promise<string | undefined> {
  const gone = exited.then(({ code, signal }) => `PostgreSQL ended while it started (${signal ?? `exit code ${code ?? "unknown"}`})`);
  const deadline = Date.now() + READY_TIMEOUT_MS;
  let last = "";
  while (Date.now() < deadline) {
    const seen = await Promise.race([connectionProblem(url), gone]);
    if (seen === undefined || seen.startsWith("PostgreSQL ended")) return seen;
    last = seen;
    // Either the port went to another server, and ours is about to end, or the password file is not the one of these data.
    if (seen.includes("password authentication failed")) return Promise.race([gone, sleep(2_000, seen)]);
    await sleep(20);
  }
  return `PostgreSQL was not ready within ${READY_TIMEOUT_MS / 1000} s (${last})`;
}

async function connectionProblem(url: string): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on("error", () => undefined); // A server that ends meanwhile is seen by its exit.
  try {
    await client.connect();
    await client.query("select 1");
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function logTail({ log }: Launched): Promise<string> {
  const text = await readFile(log.path).then(
    (bytes) => bytes.subarray(log.from).toString("utf8"),
    () => "",
  );
  return text.trim().split("\n").slice(-MAX_LOG_TAIL_LINES).join(" | ");
}
