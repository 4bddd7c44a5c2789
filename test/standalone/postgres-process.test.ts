import { chmod, mkdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

import pg from "pg";
import { afterEach, expect, test } from "vitest";

import { ExpectedError } from "../../src/domain/errors.ts";
import { type PostgresOptions, type RunningPostgres, startPostgres } from "../../src/standalone/postgres-process.ts";
import { silent as logger } from "../harness/logger.ts";
import { eventually, isAlive, startProcess, temporaryFolder } from "../harness/process.ts";

const cleanUp: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

async function dataFolder(): Promise<string> {
  const folder = await temporaryFolder("postgres");
  cleanUp.push(() => folder.remove());
  return join(folder.path, "data");
}

async function start(dataDir: string, options: Partial<PostgresOptions> = {}): Promise<RunningPostgres> {
  const server = await startPostgres({ dataDir, logger, ...options });
  cleanUp.push(() => server.stop());
  return server;
}

async function query(url: string, sql: string): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text: sql, rowMode: "array" })).rows;
  } finally {
    await client.end();
  }
}

async function refusal(attempt: Promise<unknown>): Promise<ExpectedError> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ExpectedError)) throw new Error(`expected a refusal, got ${String(error)}`);
  return error;
}

test("starts on a free port, answers with durable defaults and ends when stopped", async () => {
  const server = await start(await dataFolder());
  const names = "'fsync','synchronous_commit','max_connections','shared_buffers','listen_addresses','unix_socket_directories','server_encoding'";
  const shown = await query(server.url, `select name, setting from pg_settings where name in (${names})`);
  expect(Object.fromEntries(shown)).toEqual({
    fsync: "on",
    listen_addresses: "127.0.0.1",
    max_connections: "200",
    server_encoding: "UTF8",
    shared_buffers: "16384", // pages of 8 kB
    synchronous_commit: "on",
    unix_socket_directories: "",
  });
  await server.stop();
  await server.stop();
  expect(isAlive(server.pid)).toBe(false);
  expect(await server.exited).toEqual({ code: 0, signal: null });
});

test("the second start keeps data and password, and takes the settings given to it", async () => {
  const dataDir = await dataFolder();
  const first = await start(dataDir);
  await query(first.url, "create table kept as select 42 as answer");
  await first.stop();
  const second = await start(dataDir, { settings: { work_mem: "8MB" } });
  expect(await query(second.url, "select answer from kept")).toEqual([[42]]);
  expect(await query(second.url, "show work_mem")).toEqual([["8MB"]]);
  expect(new URL(second.url).password).toBe(new URL(first.url).password);
});

test("connections without the password are refused, and the password's file is its owner's alone", async () => {
  const dataDir = await dataFolder();
  const server = await start(dataDir);
  const url = new URL(server.url);
  const password = url.password;
  url.password = "wrong";
  await expect(query(url.href, "select 1")).rejects.toThrow("password authentication failed");
  expect(password).toMatch(/^[\w-]{32}$/);
  expect((await stat(join(dataDir, "cluster/password"))).mode & 0o777).toBe(0o600);
  expect((await stat(join(dataDir, "cluster/data"))).mode & 0o777).toBe(0o700);
  expect((await stat(server.logFile)).mode & 0o777).toBe(0o600);
  expect(await readFile(server.logFile, "utf8")).not.toContain(password);
});

test("the server never runs as root", async () => {
  const server = await start(await dataFolder());
  const status = await readFile(`/proc/${server.pid}/status`, "utf8");
  const ids = [/^Uid:\s+(.+)$/m, /^Gid:\s+(.+)$/m].flatMap((line) => (line.exec(status)?.[1] ?? "").split(/\s+/));
  expect(ids).toHaveLength(8);
  expect(ids).not.toContain("0");
  expect(new Set(/^Groups:[ \t]*(.*)$/m.exec(status)?.[1]?.trim().split(" "))).not.toContain("0");
});

test("a folder that only its owner can enter can hold the data", async () => {
  const dataDir = await dataFolder();
  await mkdir(dataDir);
  await chmod(join(dataDir, ".."), 0o700);
  await chmod(dataDir, 0o700);
  const server = await start(dataDir);
  expect(await query(server.url, "select 1")).toEqual([[1]]);
});

test("a port in use is refused by its number and nothing is left running", async () => {
  const dataDir = await dataFolder();
  const taken = createServer();
  const port = await new Promise<number>((resolve) => {
    taken.listen(0, "127.0.0.1", () => resolve((taken.address() as { port: number }).port));
  });
  cleanUp.push(() => new Promise((resolve) => taken.close(resolve)));
  const error = await refusal(startPostgres({ dataDir, port, logger }));
  expect(error).toMatchObject({ code: "PortInUse", field: "port" });
  expect(error.message).toContain(`port ${port} is in use`);
  await expect(stat(join(dataDir, "cluster/data/postmaster.pid"))).rejects.toThrow("ENOENT");
});

test("committed rows survive kill -9 of the server, and it starts again at once on the same port", async () => {
  const dataDir = await dataFolder();
  const first = await start(dataDir);
  await query(first.url, "create table kept as select generate_series(1, 1000) as n");
  const busy = new pg.Client({ connectionString: first.url });
  busy.on("error", () => undefined);
  await busy.connect();
  const sleeping = busy.query("select pg_sleep(60)").catch(() => undefined);
  process.kill(first.pid, "SIGKILL");
  expect(await first.exited).toEqual({ code: null, signal: "SIGKILL" });
  expect(await readFile(join(dataDir, "cluster/data/postmaster.pid"), "utf8")).toContain(String(first.pid));
  const second = await start(dataDir, { port: first.port });
  expect(await query(second.url, "select count(*)::int from kept")).toEqual([[1000]]);
  await sleeping;
});

test("kill -9 of the process that started it ends the server, and the next start finds the rows", async () => {
  const dataDir = await dataFolder();
  const module = new URL("../../src/standalone/postgres-process.ts", import.meta.url).href;
  const loggerModule = new URL("../../src/shared/logger.ts", import.meta.url).href;
  const script = `
    const { startPostgres } = await import(${JSON.stringify(module)});
    const { createLogger } = await import(${JSON.stringify(loggerModule)});
    const { url, pid } = await startPostgres({ dataDir: ${JSON.stringify(dataDir)}, logger: createLogger("silent") });
    console.log(JSON.stringify({ url, pid }));
    setInterval(() => undefined, 1000);`;
  const parent = startProcess([process.execPath, "--input-type=module", "--eval", script]);
  cleanUp.push(() => parent.stop());
  const line = await eventually("the server's start", () => /^\{.*\}$/m.exec(parent.output())?.[0], 20_000);
  const { url, pid } = JSON.parse(line) as { url: string; pid: number };
  await query(url, "create table kept as select 42 as answer");
  parent.kill("SIGKILL");
  await parent.exited;
  const next = await start(dataDir);
  await eventually("the end of the former server", () => !isAlive(pid));
  expect(await query(next.url, "select answer from kept")).toEqual([[42]]);
});

test("an initialisation that was interrupted is started anew and its remains are removed", async () => {
  const dataDir = await dataFolder();
  const remains = join(dataDir, "cluster.init-killed");
  await mkdir(join(remains, "data"), { recursive: true });
  await writeFile(join(remains, "data/PG_VERSION"), "18\n");
  const anHourAgo = Date.now() / 1000 - 3600;
  await utimes(remains, anHourAgo, anHourAgo);
  const server = await start(dataDir);
  expect(await query(server.url, "select 1")).toEqual([[1]]);
  await expect(stat(remains)).rejects.toThrow("ENOENT");
});

test("a second server on the same data is refused and the first goes on", async () => {
  const dataDir = await dataFolder();
  const first = await start(dataDir);
  const error = await refusal(startPostgres({ dataDir, logger }));
  expect(error).toMatchObject({ code: "Conflict", field: "dataDir" });
  expect(error.message).toContain(`process ${first.pid}`);
  expect(await query(first.url, "select 1")).toEqual([[1]]);
});

test("a stale file that names a process of another program is no obstacle", async () => {
  const dataDir = await dataFolder();
  await (await start(dataDir)).stop();
  await writeFile(join(dataDir, "cluster/data/postmaster.pid"), `${process.ppid}\n${dataDir}\n`);
  const server = await start(dataDir);
  expect(await query(server.url, "select 1")).toEqual([[1]]);
});

test("a lock file that another server has made and not yet written is waited for", async () => {
  const dataDir = await dataFolder();
  await (await start(dataDir)).stop();
  const lock = join(dataDir, "cluster/data/postmaster.pid");
  await writeFile(lock, "");
  const starting = start(dataDir);
  await eventually("a refusal", async () => (await readFile(join(dataDir, "postgres.log"), "utf8")).includes("is empty"));
  await rm(lock);
  expect(await query((await starting).url, "select 1")).toEqual([[1]]);
});

test("two processes that initialise the same folder at once end with one server and one Conflict", async () => {
  const dataDir = await dataFolder();
  const results = await Promise.allSettled([start(dataDir), start(dataDir)]);
  const refused = results.filter((result) => result.status === "rejected").map(({ reason }) => reason as unknown);
  expect(refused).toEqual([expect.objectContaining({ code: "Conflict" })]);
  const winner = results.find((result) => result.status === "fulfilled");
  expect(await query(winner!.value.url, "select 1")).toEqual([[1]]);
});

const unusable: Record<string, { break: (cluster: string) => Promise<unknown>; message: string }> = {
  "the password's file is gone": { break: (cluster) => rm(join(cluster, "password")), message: "password" },
  "the password's file is empty": { break: (cluster) => writeFile(join(cluster, "password"), ""), message: "holds no password" },
  "the data were written by another major version": {
    break: (cluster) => writeFile(join(cluster, "data/PG_VERSION"), "12\n"),
    message: "was written by PostgreSQL 12",
  },
};

test("an unusable data folder is refused with what is wrong and is not overwritten", async () => {
  for (const [name, fault] of Object.entries(unusable)) {
    const dataDir = await dataFolder();
    await (await start(dataDir, { settings: { fsync: "off" } })).stop();
    await fault.break(join(dataDir, "cluster"));
    const error = await refusal(startPostgres({ dataDir, logger }));
    expect(error, name).toMatchObject({ code: "InvalidInput", field: "dataDir" });
    expect(error.message, name).toContain(fault.message);
    expect((await stat(join(dataDir, "cluster/data/base"))).isDirectory(), name).toBe(true);
  }
});

test("a changed password is said so at once", async () => {
  const dataDir = await dataFolder();
  await (await start(dataDir, { settings: { fsync: "off" } })).stop();
  await writeFile(join(dataDir, "cluster/password"), "another-password-of-some-length");
  const error = await refusal(startPostgres({ dataDir, logger }));
  expect(error.code).toBe("Unavailable");
  expect(error.message).toContain("password authentication failed");
});

test("a setting that PostgreSQL does not know is refused with the end of its log", async () => {
  const dataDir = await dataFolder();
  const error = await refusal(startPostgres({ dataDir, logger, settings: { shared_bufers: "1GB" } }));
  expect(error.code).toBe("Unavailable");
  expect(error.message).toContain('unrecognized configuration parameter "shared_bufers"');
});

const badOptions: Record<string, { options: Partial<PostgresOptions>; field: string }> = {
  "settings can't open the server to the network": { options: { settings: { listen_addresses: "*" } }, field: "settings.listen_addresses" },
  "a setting's name is a name": { options: { settings: { "fsync=off -c port": "1" } }, field: "settings.fsync=off -c port" },
  "ports end at 65535": { options: { port: 65_536 }, field: "port" },
  "the data folder is an absolute path": { options: { dataDir: "data" }, field: "dataDir" },
};

test.each(Object.entries(badOptions))("%s", async (_, { options, field }) => {
  const error = await refusal(startPostgres({ dataDir: "/nonexistent/data", logger, ...options }));
  expect(error).toMatchObject({ code: "InvalidInput", field });
});

test("environment variables of PostgreSQL's own do not reach the server", async () => {
  process.env["PGDATA"] = "/nonexistent";
  process.env["PGOPTIONS"] = "-c work_mem=9MB";
  cleanUp.push(() => Promise.resolve(["PGDATA", "PGOPTIONS"].map((name) => Reflect.deleteProperty(process.env, name))));
  const server = await start(await dataFolder());
  expect(await readFile(`/proc/${server.pid}/environ`, "utf8")).not.toMatch(/PGDATA=\/nonexistent|PGOPTIONS=/);
});
