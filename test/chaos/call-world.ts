import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { connect } from "../../src/adapters/postgres/connect.ts";
import { migrate } from "../../src/adapters/postgres/migrate.ts";
import { createStores } from "../../src/adapters/postgres/stores.ts";
import { readPjsip } from "../../src/domain/pjsip.ts";
import { newTrunkRevision, TRUNK_FILE, trunkFile } from "../../src/domain/trunk-file.ts";
import { createLogger } from "../../src/shared/logger.ts";
import { type RunningPostgres, startPostgres } from "../../src/standalone/postgres-process.ts";
import { aDestination, e164 } from "../domain/builders.ts";
import { freeTcpPort, freeUdpPort, loopbackAddress } from "../harness/ports.ts";
import { eventually, temporaryFolder } from "../harness/process.ts";
import { scenarioText, sippProgram } from "../harness/sipp.ts";
import { DID, startWorld, type World } from "../router/world.ts";
import { type Program, startProgram } from "./program.ts";
import { startWire, type Wire } from "./wire.ts";

const CLI = join(import.meta.dirname, "../../src/cli.ts");
const logger = createLogger("warn");
/** Of the desk; the default destination rings shorter. */
const RING_MS = { desk: 1_000, fallback: 200 };

/** A Postgres, an Asterisk, the router as a program of its own behind wires, a desk that answers and a default destination. */
export interface CallWorld {
  readonly world: World;
  readonly folder: string;
  readonly ariWire: Wire;
  readonly databaseWire: Wire;
  router(): Program;
  /** @param within a command that the router's is appended to: what it may not have, a disk for example */
  startRouter(within?: readonly string[]): void;
  /** Takes calls now, and its dialplan runs. */
  routerReady(): Promise<void>;
  postgres(): RunningPostgres;
  startPostgres(): Promise<void>;
  /** Straight to the database, not over the wire. */
  query<T extends object>(sql: string): Promise<readonly T[]>;
  /** Places calls, each caller with a number of their own. */
  startCallers(load: Load): Promise<Program>;
}

export interface Load {
  /** Calls a second. */
  readonly rate: number;
  readonly calls: number;
  readonly holdMs: number;
}

export const LOGS = { callers: "callers.log", desk: "desk.log", fallback: "fallback.log", errors: "callers-errors.log", stats: "stats.csv", router: "router.log" } as const;

/** @param logLevel of the router; `info` names the calls that it took */
export async function startCallWorld(parts: AsyncDisposableStack, logLevel: "info" | "warn"): Promise<CallWorld> {
  const folder = await temporaryFolder("chaos");
  if (process.env["DIALPLANE_KEEP_CHAOS"] === undefined) parts.defer(() => folder.remove());
  const dataDir = join(folder.path, "postgres");
  let postgres = await startPostgres({ dataDir, logger });
  const { url, port } = postgres;
  parts.defer(() => postgres.stop());
  const [desk, fallback] = [await startDesk(parts, folder.path, "desk"), await startDesk(parts, folder.path, "fallback")];
  // Desks tell callers apart by what the trunk asserts.
  const world = await startWorld(fallback, { trunk: { callerId: { from: "Tracking", pAssertedIdentity: "Caller", diversion: "None" } } });
  parts.defer(() => world.stop());
  await declare(url, world, desk);
  await mountTrunks(world, join(folder.path, "trunks"));
  const ariWire = await startWire(Number(new URL(world.asterisk.ari.url).port));
  parts.defer(() => ariWire.close());
  const databaseWire = await startWire(port);
  parts.defer(() => databaseWire.close());
  const healthPort = await freeTcpPort();
  const wires = { databaseUrl: withPort(url, databaseWire.port), ariUrl: withPort(world.asterisk.ari.url, ariWire.port) };
  const env = routerEnvironment(world, { ...wires, folder: folder.path, healthPort, logLevel });
  let router: Program | undefined;
  parts.defer(() => router?.kill("SIGKILL"));
  return {
    world,
    folder: folder.path,
    ariWire,
    databaseWire,
    router: () => router ?? never("no router was started"),
    startRouter: (within = []) => void (router = startProgram([...within, process.execPath, CLI, "router"], join(folder.path, LOGS.router), { env })),
    routerReady: () => eventually("the router is ready", () => isReady(healthPort), 60_000).then(() => undefined),
    postgres: () => postgres,
    startPostgres: async () => void (postgres = await startPostgres({ dataDir, port, logger })),
    query: (sql) => query(url, sql),
    startCallers: (load) => startCallers(world, folder.path, load),
  };
}

interface RouterPlace {
  readonly folder: string;
  readonly databaseUrl: string;
  readonly ariUrl: string;
  readonly healthPort: number;
  readonly logLevel: string;
}

function routerEnvironment(world: World, { folder, databaseUrl, ariUrl, healthPort, logLevel }: RouterPlace): NodeJS.ProcessEnv {
  return {
    ...process.env,
    DATABASE_URL: databaseUrl,
    DIALPLANE_POD: "pod-0",
    DIALPLANE_ARI_URL: ariUrl,
    DIALPLANE_ARI_USER: world.asterisk.ari.user,
    DIALPLANE_ARI_PASSWORD: world.asterisk.ari.password,
    DIALPLANE_ASTERISK_CONFIG_DIR: world.asterisk.configDir,
    DIALPLANE_TRUNKS_DIR: join(folder, "trunks"),
    DIALPLANE_SPOOL_DIR: join(folder, "spool"),
    DIALPLANE_HEALTH_PORT: String(healthPort),
    DIALPLANE_LOG_LEVEL: logLevel,
  };
}

function isReady(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`).then((response) => response.ok, () => false);
}

/** Writes what the operator would. */
async function declare(url: string, world: World, desk: string): Promise<void> {
  const pool = connect(url, logger);
  try {
    await migrate(pool);
    const { snapshot, dialplan } = world.state({ rule: { destinations: [aDestination({ sipUri: desk, ringTimeoutSeconds: 60 })] } });
    const owned = [{ from: e164("+12025550100"), to: e164("+12025550109") }];
    const pools = snapshot.pools.map((entry) => ({ ...entry, generation: 1, owned }));
    await createStores(pool, url, logger).operator.apply({ pools, rules: snapshot.rules, trunks: snapshot.trunks, dialplan: () => dialplan });
  } finally {
    await pool.end();
  }
}

/** What a pod finds as its mounted Secret; Asterisk has the same already. */
async function mountTrunks({ asterisk }: World, dir: string): Promise<void> {
  const content = await readFile(join(asterisk.configDir, "pjsip.d", TRUNK_FILE), "utf8");
  await mkdir(dir);
  await writeFile(join(dir, TRUNK_FILE), trunkFile({ revision: newTrunkRevision(), trunks: { content, ...readPjsip(content) } }), { mode: 0o600 });
}

async function query<T extends object>(url: string, sql: string): Promise<readonly T[]> {
  const pool = connect(url, logger, { max: 1 });
  try {
    return (await pool.query<T>(sql)).rows;
  } finally {
    await pool.end();
  }
}

async function startDesk(parts: AsyncDisposableStack, folder: string, name: "desk" | "fallback"): Promise<string> {
  const address = await loopbackAddress();
  await writeFile(join(folder, `${name}.xml`), (await scenarioText("ring-200.xml")).replace('timeout="1000"', `timeout="${RING_MS[name]}"`));
  const own = ["-i", address, "-mi", address, "-p", "5060", "-nostdin", "-trace_logs", "-log_file", LOGS[name]];
  const desk = startProgram([sippProgram(), "-sf", `${name}.xml`, ...own], join(folder, `${name}.out`), { cwd: folder });
  parts.defer(() => desk.kill("SIGKILL"));
  return `sip:${name}@${address}:5060;transport=udp`;
}

async function startCallers({ asterisk, carrier }: World, folder: string, { rate, calls, holdMs }: Load): Promise<Program> {
  const port = await freeUdpPort(carrier);
  const numbers = Array.from({ length: calls }, (_, i) => `+1${String(3_000_000_000 + i)};`);
  await writeFile(join(folder, "callers.csv"), ["SEQUENTIAL", ...numbers, ""].join("\n"));
  await writeFile(join(folder, "callers.xml"), (await scenarioText("held-completed.xml")).replace('timeout="5000"', `timeout="${holdMs}"`));
  const load = ["-r", String(rate), "-m", String(calls), "-l", String(calls), "-inf", "callers.csv", "-recv_timeout", "90000"];
  const traces = ["-trace_logs", "-log_file", LOGS.callers, "-trace_stat", "-stf", LOGS.stats, "-fd", "1", "-trace_err", "-error_file", LOGS.errors];
  const own = ["-i", carrier, "-mi", carrier, "-p", String(port), "-nostdin"];
  const target = `${asterisk.sipAddress}:${asterisk.sipPort}`;
  return startProgram([sippProgram(), target, "-s", DID, "-sf", "callers.xml", ...own, ...load, ...traces], join(folder, "callers.out"), { cwd: folder });
}

/** The last line of the callers' table. */
export async function sippCounts(folder: string): Promise<{ readonly created: number; readonly failed: number }> {
  const [names = "", ...rows] = (await readFile(join(folder, LOGS.stats), "utf8")).trim().split("\n");
  const value = (name: string) => Number(rows.at(-1)?.split(";")[names.split(";").indexOf(name)]);
  return { created: value("TotalCallCreated"), failed: value("FailedCall(C)") };
}

/** Channels and bridges that Asterisk holds now. */
export async function heldBy({ ari }: World): Promise<{ readonly channels: number; readonly bridges: number }> {
  const [channels, bridges] = [await ari.request("GET", "/channels"), await ari.request("GET", "/bridges")] as unknown[][];
  return { channels: channels?.length ?? 0, bridges: bridges?.length ?? 0 };
}

function withPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}

function never(message: string): never {
  throw new Error(message);
}
