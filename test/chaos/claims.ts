import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { anyFreeTcpPort } from "../../src/adapters/asterisk-process/listen-check.ts";
import { migrate } from "../../src/adapters/postgres/migrate.ts";
import { createStores } from "../../src/adapters/postgres/stores.ts";
import { createTokenSigner, type SigningKey, type TokenKind } from "../../src/domain/puid.ts";
import { missingFromHistory, violations, type Acknowledged, type Promises, type Released, type Shown } from "../adapters/postgres/claim-invariants.ts";
import { anAssignment, aPool, e164 } from "../domain/builders.ts";
import { silent } from "../harness/logger.ts";
import { startProcess, type TestProcess } from "../harness/process.ts";
import type { ClientLine, ClientTask } from "./claims-client.ts";
import { keepIngress, keepPostgres, type Victim } from "./victims.ts";

export interface ChaosOptions {
  readonly claims: number;
  readonly clients: number;
  readonly callers: number;
  /** Time from one kill to the next, at random between these. */
  readonly killEveryMilliseconds: readonly [number, number];
  readonly deadlineMilliseconds: number;
}

export interface ChaosReport {
  readonly claims: number;
  readonly visitors: number;
  readonly numbers: number;
  readonly exhausted: number;
  readonly releases: number;
  /** Requests that were refused or broken off, by status; 0: the connection broke. */
  readonly failed: Readonly<Record<string, number>>;
  readonly kills: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Numbers that two prospects had at once, promises cut short: one sentence each. */
  readonly broken: readonly string[];
  /** What ingress logged of requests that it answered 500. */
  readonly faults: readonly string[];
  /** Acknowledged claims that the history does not know: one sentence each. */
  readonly missing: readonly string[];
}

const PROMISES: Promises = { leaseMs: 2_000, cooldownMs: 1_000 };
const POOLS = [
  { key: "chaos/scarce", from: "+12025550000", to: "+12025550039" },
  { key: "chaos/plenty", from: "+4915110000000", to: "+4915110029999" },
];
const ORIGIN = "https://acme.example";
const KEY: SigningKey = { id: 1, secret: "0123456789abcdef0123456789abcdef" };
/** Milliseconds that rounding to whole ones may cost. */
const ROUNDING_MS = 1;

/** Claims over HTTP while both ingress processes and Postgres are killed and started again at random; then everything told is checked. */
export async function runClaimsChaos(options: ChaosOptions): Promise<ChaosReport> {
  const folder = await mkdtemp(join(tmpdir(), "dialplane-chaos-"));
  const postgres = await keepPostgres(join(folder, "postgres"));
  const victims: Victim[] = [postgres];
  const clients: TestProcess[] = [];
  try {
    await prepare(postgres.url);
    const ports = [await anyFreeTcpPort(), await anyFreeTcpPort()];
    const ingresses = ports.map((port, index) => keepIngress(`ingress ${index + 1}`, ingressEnv(postgres.url), port));
    victims.unshift(...ingresses);
    for (const ingress of ingresses) await ingress.ready();
    const start = performance.now();
    const files = Array.from({ length: options.clients }, (_, index) => join(folder, `client-${index}.jsonl`));
    const enough = join(folder, "enough");
    clients.push(...files.map((file) => startClient({ file, enough, ports, ...options })));
    await killUntilDone(victims, Promise.all(clients.map((client) => client.exited)), { ...options, enough });
    const seconds = (performance.now() - start) / 1000;
    const lines = await Promise.all(files.map(readLines));
    const kills = Object.fromEntries(victims.map((victim) => [victim.name, victim.kills()]));
    const report = judge(lines, await readHistory(postgres.url));
    for (const ingress of ingresses) await ingress.stop();
    return { ...report, faults: ingresses.flatMap((ingress) => ingress.faults()), kills, seconds };
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
    for (const victim of victims) await victim.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function prepare(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  await migrate(pool);
  const assignment = anAssignment({ leaseSeconds: PROMISES.leaseMs / 1000, cooldownSeconds: PROMISES.cooldownMs / 1000 });
  const pools = POOLS.map(({ key, ...text }) => {
    const range = { from: e164(text.from), to: e164(text.to) };
    return { ...aPool({ ranges: [range], assignment, allowedOrigins: [ORIGIN] }, { key }), generation: 1, owned: [range] };
  });
  const dialplan = { hash: "chaos", marker: "DIALPLANE_REVISION=chaos", content: "" };
  await createStores(pool, url, silent).operator.apply({ pools, rules: [], trunks: [], dialplan: () => dialplan });
  await pool.end();
}

function ingressEnv(url: string): NodeJS.ProcessEnv {
  return {
    DATABASE_URL: url,
    DIALPLANE_DATABASE_CONNECTIONS: "6",
    DIALPLANE_TOKEN_KEYS: `${KEY.id}:${KEY.secret}`,
    DIALPLANE_HTTP_ADDRESS: "127.0.0.1",
    DIALPLANE_RATE_LIMIT_PER_SECOND: "0",
    DIALPLANE_NEW_VISITORS_PER_SECOND: "0",
    DIALPLANE_POOLS_POLL_SECONDS: "1",
    DIALPLANE_LOG_LEVEL: "error",
  };
}

function startClient({ file, enough, ports, ...options }: ChaosOptions & { readonly file: string; readonly enough: string; readonly ports: readonly number[] }): TestProcess {
  const task: ClientTask = {
    file,
    enough,
    ports,
    pools: POOLS.map(({ key }) => key),
    origin: ORIGIN,
    callers: options.callers,
    claims: Math.ceil(options.claims / options.clients),
    deadlineMilliseconds: options.deadlineMilliseconds,
  };
  return startProcess([process.execPath, join(import.meta.dirname, "claims-client.ts"), JSON.stringify(task)]);
}

/** Each is killed once in any order before anyone is killed again: no run without all of them. */
async function killUntilDone(victims: readonly Victim[], done: Promise<unknown>, options: ChaosOptions & { readonly enough: string }): Promise<void> {
  const [least, most] = options.killEveryMilliseconds;
  const finished = done.then(() => "done" as const);
  let turn: Victim[] = [];
  for (;;) {
    if ((await Promise.race([finished, sleep(least + Math.random() * (most - least), "go on" as const, { ref: false })])) === "done") return;
    if (turn.length === 0) turn = [...victims].sort(() => Math.random() - 0.5);
    await turn.pop()?.kill();
    if (turn.length === 0) await writeFile(options.enough, "");
  }
}

async function readLines(file: string): Promise<readonly ClientLine[]> {
  const text = await readFile(file, "utf8");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as ClientLine);
}

type Claim = Acknowledged & { readonly device: string; readonly mediaElement: string; readonly askedAt: number };

/** The tokens are opened with the key of the run: what the database calls the visitor. */
function judge(lines: readonly (readonly ClientLine[])[], history: readonly (Shown & { pool: string })[]): Omit<ChaosReport, "kills" | "seconds" | "faults"> {
  const idOf = tokenReader();
  const all = lines.flat();
  const claims = all.flatMap((line): Claim[] => {
    if (line.type !== "claim") return [];
    const leasedUntil = Date.parse(line.expiresAt);
    const prospect = idOf("visitor", line.visitor);
    const device = idOf("device", line.device);
    const { pool, mediaElement, askedAt } = line;
    // Nobody extends a promise here but claims, so each ends a lease's time after it was decided, or up to a twentieth more of it.
    const determinedFrom = Math.max(askedAt, leasedUntil - PROMISES.leaseMs * 1.05) - ROUNDING_MS;
    const determinedAt = Math.min(line.answeredAt + ROUNDING_MS, leasedUntil - PROMISES.leaseMs);
    return [{ pool, prospect, device, mediaElement, askedAt, did: line.number, determinedFrom, determinedAt, leasedUntil, renewed: false }];
  });
  const releases = lines.flatMap((ofOne) => releasesOf(ofOne, (token) => idOf("visitor", token)));
  const early = claims
    .filter(({ askedAt, determinedAt }) => determinedAt + ROUNDING_MS < askedAt)
    .map(({ did, askedAt, leasedUntil }) => `${did}, asked for at ${askedAt}, was promised until ${leasedUntil} only`);
  const failed: Record<string, number> = {};
  for (const line of all) if (line.type === "failed") failed[line.status] = (failed[line.status] ?? 0) + 1;
  return {
    claims: claims.length,
    visitors: new Set(claims.map(({ prospect }) => prospect)).size,
    numbers: new Set(claims.map(({ did }) => did)).size,
    exhausted: all.filter(({ type }) => type === "exhausted").length,
    releases: releases.length,
    failed,
    broken: [...early, ...violations([...claims, ...history.map(asPromise)], releases, PROMISES)],
    missing: missingFromHistory(claims, history),
  };
}

/** Opens each token once: a million of them would take a minute. */
function tokenReader(): (kind: TokenKind, token: string) => string {
  const tokens = createTokenSigner([KEY]);
  const known = new Map<string, string>();
  return (kind, token) => {
    const id = known.get(token) ?? tokens.verify(kind, token) ?? "";
    known.set(token, id);
    return id;
  };
}

/** A release that was never acknowledged may have happened at any later time. */
function releasesOf(lines: readonly ClientLine[], prospectOf: (token: string) => string): Released[] {
  const ends = new Map(lines.flatMap((line) => (line.type === "released" ? [[line.release, line.at] as const] : [])));
  return lines.flatMap((line) => {
    if (line.type !== "releasing") return [];
    return [{ pool: line.pool, prospect: prospectOf(line.visitor), startedAt: line.at, endedAt: ends.get(line.release) ?? Number.POSITIVE_INFINITY }];
  });
}

async function readHistory(url: string): Promise<readonly (Shown & { pool: string })[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ did: string; pool: string; prospect: string; device: string; element: string; leased_from: Date }>(
    `select a.did, p.key as pool, a.prospect_id as prospect, a.device_id as device, a.media_element as element, a.leased_from
     from association a join pool p on p.uid = a.pool_uid`,
  );
  await client.end();
  return rows.map((row) => ({ did: `+${row.did}`, pool: row.pool, prospect: row.prospect, device: row.device, mediaElement: row.element, leasedFrom: row.leased_from.getTime() }));
}

/** What was never acknowledged because somebody was killed was promised all the same. */
function asPromise({ did, pool, prospect, leasedFrom }: Shown & { pool: string }): Acknowledged {
  return { did, pool, prospect, determinedAt: leasedFrom, leasedUntil: leasedFrom + PROMISES.leaseMs, renewed: false };
}
