import { mkdtemp, readFile, rm } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";

import { connect } from "../../src/adapters/postgres/connect.ts";
import { migrate } from "../../src/adapters/postgres/migrate.ts";
import { createStores } from "../../src/adapters/postgres/stores.ts";
import { createLogger } from "../../src/shared/logger.ts";
import { startPostgres } from "../../src/standalone/postgres-process.ts";
import { anAssignment, aPool, e164 } from "../domain/builders.ts";
import { readFlags, refuse } from "../harness/flags.ts";
import { eventually, startProcess, type TestProcess } from "../harness/process.ts";
import { percentile } from "./claim-load.ts";
import { cpuMsWithChildren } from "./cpu-time.ts";
import { HttpConnection, postRequest, type HttpAnswer } from "./http-client.ts";
import { closedLoad, openLoad, type LoadResult } from "./http-load.ts";

const NUMBERS = 500_000;
const CONNECTIONS = 64;
const ROUNDS = 3;
const RETURNING = 2_000;
const OVERLOAD_CONNECTIONS = 2_500;
const LEAST_RATIO = 0.9;
const POOL = "bench/pool";
const ORIGIN = "https://acme.example";
const PAGE = "https://acme.example/offers/garden?utm_source=newsletter&utm_campaign=spring";

const flags = readFlags({ json: { type: "boolean", default: false }, seconds: { type: "string", default: "4" } });
const milliseconds = Number(flags.seconds) * 1000;
if (!(milliseconds >= 100 && milliseconds <= 60_000)) refuse("--seconds must be from 0.1 to 60: how long each measurement takes");

interface Summary {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

const logger = createLogger("warn");
const root = join(import.meta.dirname, "../..");

async function prepare(url: string): Promise<void> {
  const pool = connect(url, logger, { max: 2 });
  await migrate(pool);
  const range = { from: e164("+4915110000000"), to: e164(`+${4_915_110_000_000 + NUMBERS - 1}`) };
  // As long as a lease may be at the least: numbers come back during a run of several minutes only.
  const assignment = anAssignment({ leaseSeconds: 60, cooldownSeconds: 0 });
  const entry = { ...aPool({ ranges: [range], assignment, allowedOrigins: [ORIGIN] }, { key: POOL }), generation: 1, owned: [range] };
  await createStores(pool, url, logger).operator.apply({ pools: [entry], rules: [], trunks: [], dialplan: () => ({ hash: "bench", marker: "none", content: "" }) });
  await pool.query("vacuum analyze number");
  await pool.end();
}

interface Server {
  readonly port: number;
  readonly process: TestProcess;
}

interface Servers {
  readonly echo: Server;
  readonly ingress: Server;
}

async function startServers(url: string): Promise<{ readonly servers: Servers; readonly stop: () => Promise<unknown> }> {
  const env = {
    ...process.env,
    DATABASE_URL: url,
    DIALPLANE_TOKEN_KEYS: "1:0123456789abcdef0123456789abcdef",
    DIALPLANE_HTTP_ADDRESS: "127.0.0.1",
    DIALPLANE_HTTP_PORT: "0",
    DIALPLANE_RATE_LIMIT_PER_SECOND: "0",
    DIALPLANE_NEW_VISITORS_PER_SECOND: "0",
    NODE_ENV: "production",
  };
  const echo = startProcess([process.execPath, join(root, "test/bench/http-echo.ts")], { env });
  const ingress = startProcess([process.execPath, join(root, "src/cli.ts"), "ingress"], { env });
  const portOf = (server: TestProcess) => eventually("listening", () => /"port":(\d+)[,}]/.exec(server.output())?.[1], 30_000);
  const servers = { echo: { port: Number(await portOf(echo)), process: echo }, ingress: { port: Number(await portOf(ingress)), process: ingress } };
  return { servers, stop: () => Promise.all([echo.stop(), ingress.stop()]) };
}

const newVisitor = postRequest("/v1/numbers", { pool: POOL, mediaElement: "header", page: PAGE });
const echoed = newVisitor.replace("/v1/numbers", "/echo").replace("text/plain;charset=UTF-8", "application/json");

/** Visitors who were here a moment ago, in turn. */
async function returningVisitors(port: number): Promise<() => string> {
  const connection = new HttpConnection(port);
  const requests: string[] = [];
  while (requests.length < RETURNING) {
    const { visitor, device } = answerOf(await connection.post(newVisitor));
    requests.push(postRequest("/v1/numbers", { pool: POOL, mediaElement: "header", page: PAGE, visitor, device }));
  }
  connection.close();
  let turn = 0;
  return () => requests[(turn += 1) % requests.length] ?? newVisitor;
}

/** @throws Error when it holds no number: then the bench would measure something else */
function answerOf(answer: HttpAnswer): { readonly visitor: string; readonly device: string } {
  if (answer.status !== 200 || !answer.body.includes('"assigned"')) throw new Error(`no number: ${answer.status} ${answer.body}`);
  return JSON.parse(answer.body) as { visitor: string; device: string };
}

function summarise({ answers, seconds }: LoadResult): Summary {
  const good = answers.filter(({ status }) => status === 200);
  const times = Float64Array.from(good.map((answer) => answer.milliseconds));
  return { perSecond: good.length / seconds, p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99), failed: answers.length - good.length };
}

function joined(parts: readonly LoadResult[]): LoadResult {
  return { answers: parts.flatMap(({ answers }) => answers), seconds: parts.reduce((sum, { seconds }) => sum + seconds, 0) };
}

/** CPU time of each process for one request, in microseconds: comparable also while other work takes the cores away. */
interface Cost {
  readonly load: number;
  readonly server: number;
  readonly postgres: number;
}

type Measured = LoadResult & { readonly spent: Cost };

/** The three in turn, several times: whatever else the machine does meets all of them. */
async function compare({ echo, ingress }: Servers, postgresPid: number): Promise<Record<"echo" | "fresh" | "returning", Summary & { readonly cost: Cost }>> {
  const again = await returningVisitors(ingress.port);
  const loads = {
    echo: { port: echo.port, pid: echo.process.pid, next: () => echoed },
    fresh: { port: ingress.port, pid: ingress.process.pid, next: () => newVisitor, onAnswer: answerOf },
    returning: { port: ingress.port, pid: ingress.process.pid, next: again, onAnswer: answerOf },
  };
  const measured: Record<keyof typeof loads, Measured[]> = { echo: [], fresh: [], returning: [] };
  for (const load of Object.values(loads)) await closedLoad({ ...load, connections: CONNECTIONS, milliseconds: Math.min(1500, milliseconds) });
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of ["echo", "fresh", "returning"] as const) {
      const before = await spentBy(loads[name].pid, postgresPid);
      const result = await closedLoad({ ...loads[name], connections: CONNECTIONS, milliseconds });
      const after = await spentBy(loads[name].pid, postgresPid);
      measured[name].push({ ...result, spent: { load: after.load - before.load, server: after.server - before.server, postgres: after.postgres - before.postgres } });
    }
  }
  return { echo: withCost(measured.echo), fresh: withCost(measured.fresh), returning: withCost(measured.returning) };
}

/** In milliseconds so far. */
async function spentBy(server: number, postgres: number): Promise<Cost> {
  const { user, system } = process.cpuUsage();
  return { load: (user + system) / 1000, server: await cpuMsWithChildren(server), postgres: await cpuMsWithChildren(postgres) };
}

function withCost(parts: readonly Measured[]): Summary & { readonly cost: Cost } {
  const all = joined(parts);
  const each = (of: keyof Cost) => Math.round((parts.reduce((sum, { spent }) => sum + spent[of], 0) * 1000) / all.answers.length);
  return { ...summarise(all), cost: { load: each("load"), server: each("server"), postgres: each("postgres") } };
}

interface Overload {
  readonly offeredPerSecond: number;
  readonly served: Summary;
  readonly refused: Summary;
  /** Neither a number nor a 503. */
  readonly others: number;
  readonly residentMb: readonly [number, number, number];
}

async function overload({ ingress }: Servers, perSecond: number): Promise<Overload> {
  const before = await residentMb(ingress.process.pid);
  const load = { port: ingress.port, next: () => newVisitor, perSecond, mostConnections: OVERLOAD_CONNECTIONS };
  const first = await openLoad({ ...load, milliseconds: milliseconds * 2 });
  const between = await residentMb(ingress.process.pid);
  const second = await openLoad({ ...load, milliseconds: milliseconds * 2 });
  const { answers, seconds } = joined([first, second]);
  const of = (status: number) => answers.filter((answer) => answer.status === status);
  const refused = of(503).map((answer) => ({ ...answer, status: 200 }));
  return {
    offeredPerSecond: perSecond,
    served: summarise({ answers: of(200), seconds }),
    refused: summarise({ answers: refused, seconds }),
    others: answers.length - of(200).length - refused.length,
    residentMb: [before, between, await residentMb(ingress.process.pid)],
  };
}

async function residentMb(pid: number): Promise<number> {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024);
}

const line = (name: string, { perSecond, p50Ms, p99Ms }: Summary, ratio?: number) =>
  `${name.padEnd(34)}${perSecond.toFixed(0).padStart(7)}/s  p50 ${p50Ms.toFixed(1).padStart(6)} ms  p99 ${p99Ms.toFixed(1).padStart(6)} ms${ratio === undefined ? "" : `  ${ratio.toFixed(2)}x`}`;

const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}`;
console.log(`Durable POST /v1/numbers beside a bare Express echo, ${CONNECTIONS} connections, ${ROUNDS} rounds of ${milliseconds / 1000} s each in turn; ${machine}`);
const dataDir = await mkdtemp(join(tmpdir(), "dialplane-bench-"));
const postgres = await startPostgres({ dataDir, logger });
try {
  await prepare(postgres.url);
  const { servers, stop } = await startServers(postgres.url);
  const { echo, fresh, returning } = await compare(servers, postgres.pid);
  const ratios = { fresh: fresh.perSecond / echo.perSecond, returning: returning.perSecond / echo.perSecond };
  console.log(line("bare Express echo", echo));
  console.log(line("new visitors, a number each", fresh, ratios.fresh));
  console.log(line("returning visitors, renewed", returning, ratios.returning));
  for (const [name, { cost }] of [["echo", echo], ["new", fresh], ["returning", returning]] as const) {
    console.log(`CPU time a request, ${name}: server ${cost.server} us, Postgres ${cost.postgres} us, load ${cost.load} us`);
  }
  const over = await overload(servers, Math.round(fresh.perSecond * 2));
  console.log(`twice the capacity: ${over.offeredPerSecond} new visitors a second over up to ${OVERLOAD_CONNECTIONS} connections`);
  console.log(line("  served", over.served));
  console.log(line("  refused with 503", over.refused));
  console.log(`  anything else: ${over.others}; resident MB before, between, after: ${over.residentMb.join(", ")}`);
  const after = answerOf(await new HttpConnection(servers.ingress.port).post(newVisitor));
  console.log(`  afterwards a visitor gets a number again: ${after.visitor !== ""}`);
  await stop();
  if (flags.json) console.log(JSON.stringify({ bench: "http", machine, connections: CONNECTIONS, echo, fresh, returning, ratios, overload: over }));
  const reached = ratios.fresh >= LEAST_RATIO && ratios.returning >= LEAST_RATIO;
  if (!reached) console.log(`a ratio is below ${LEAST_RATIO}`);
  if (!reached || over.others > 0 || fresh.failed + returning.failed > 0) process.exitCode = 1;
} finally {
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
}
process.exit();
