import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";

import { connect } from "../../src/adapters/postgres/connect.ts";
import { migrate } from "../../src/adapters/postgres/migrate.ts";
import { batchedClaims } from "../../src/adapters/postgres/batched-claims.ts";
import { createStores } from "../../src/adapters/postgres/stores.ts";
import type { NumberClaims } from "../../src/domain/ports.ts";
import { createLogger } from "../../src/shared/logger.ts";
import { startPostgres } from "../../src/standalone/postgres-process.ts";
import { violations } from "../adapters/postgres/claim-invariants.ts";
import { anAssignment, aPool, e164 } from "../domain/builders.ts";
import { type Acknowledgement, claimFor, joined, type Measured, percentile } from "./claim-load.ts";
import { readFlags, refuse } from "../harness/flags.ts";

const NUMBERS = 300_000;
const CALLERS = [8, 32, 128];
const ROUNDS = 2;
/** Short, so that numbers come back during the run: 6 s times the rate must stay below the numbers. */
const PROMISES = { leaseMs: 4_000, cooldownMs: 2_000 };
const LEAST_RATIO_AT_32 = 5;
const BATCHES = { maxBatch: 500, parallel: 2, maxWaiting: 10_000 };

const flags = readFlags({ json: { type: "boolean", default: false }, seconds: { type: "string", default: "3" } });
const milliseconds = Number(flags.seconds) * 1000;
if (!(milliseconds >= 100 && milliseconds <= 60_000)) refuse("--seconds must be from 0.1 to 60: how long each measurement takes");

interface Comparison {
  readonly callers: number;
  readonly single: Summary;
  readonly batched: Summary;
  readonly ratio: number;
}
interface Summary {
  readonly claimsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const logger = createLogger("warn");

async function withDatabase<T>(use: (url: string) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), "dialplane-bench-"));
  const postgres = await startPostgres({ dataDir, logger });
  try {
    return await use(postgres.url);
  } finally {
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** @returns claims over a pool of `connections`, ended after `use` */
async function withClaims<T>(url: string, connections: number, use: (claims: NumberClaims) => Promise<T>): Promise<T> {
  const pool = connect(url, logger, { max: connections });
  try {
    return await use(createStores(pool, url, logger).claims);
  } finally {
    await pool.end();
  }
}

async function prepare(url: string): Promise<void> {
  const pool = connect(url, logger, { max: 2 });
  await migrate(pool);
  const first = e164("+4915110000000");
  const range = { from: first, to: e164(`+${4_915_110_000_000 + NUMBERS - 1}`) };
  const assignment = anAssignment({ leaseSeconds: PROMISES.leaseMs / 1000, cooldownSeconds: PROMISES.cooldownMs / 1000 });
  const entry = { ...aPool({ ranges: [range], assignment }, { key: "bench/pool" }), generation: 1, owned: [range] };
  const dialplan = { hash: "bench", marker: "DIALPLANE_REVISION=bench", content: "" };
  await createStores(pool, url, logger).operator.apply({ pools: [entry], rules: [], trunks: [], dialplan: () => dialplan });
  await pool.query("vacuum analyze number");
  await pool.end();
}

/** Warmed first: connecting and planning are paid once in a process's life. */
async function measure(claims: NumberClaims, callers: number, told: Acknowledgement[]): Promise<Measured> {
  await claimFor(claims, { pool: "bench/pool", callers, milliseconds: Math.min(500, milliseconds), told });
  return claimFor(claims, { pool: "bench/pool", callers, milliseconds, told });
}

async function compare(url: string, callers: number, told: Acknowledgement[]): Promise<Comparison> {
  const single: Measured[] = [];
  const batched: Measured[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    single.push(await withClaims(url, callers, (claims) => measure(claims, callers, told)));
    batched.push(await withClaims(url, BATCHES.parallel, (claims) => measure(batchedClaims(claims, BATCHES), callers, told)));
  }
  const summaries = { single: summarise(joined(single)), batched: summarise(joined(batched)) };
  return { callers, ...summaries, ratio: summaries.batched.claimsPerSecond / summaries.single.claimsPerSecond };
}

function summarise({ latenciesMs, seconds }: Measured): Summary {
  return { claimsPerSecond: latenciesMs.length / seconds, p50Ms: percentile(latenciesMs, 0.5), p99Ms: percentile(latenciesMs, 0.99) };
}

function table(comparisons: readonly Comparison[]): string {
  const head = ["callers", "one a transaction", "p50 ms", "p99 ms", "batched", "p50 ms", "p99 ms", "ratio"];
  const rows = comparisons.map(({ callers, single, batched, ratio }) => [
    String(callers),
    ...[single, batched].flatMap((of) => [`${of.claimsPerSecond.toFixed(0)}/s`, of.p50Ms.toFixed(2), of.p99Ms.toFixed(2)]),
    `${ratio.toFixed(1)}x`,
  ]);
  return [head, ...rows].map((row) => row.map((cell, column) => cell.padStart(column === 1 ? 17 : 9)).join("  ")).join("\n");
}

const machine = `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}`;
console.log(`Durable claims out of ${NUMBERS} numbers, ${ROUNDS} alternating rounds of ${milliseconds / 1000} s each; ${machine}`);
const told: Acknowledgement[] = [];
const comparisons = await withDatabase(async (url) => {
  await prepare(url);
  const results: Comparison[] = [];
  for (const callers of CALLERS) results.push(await compare(url, callers, told));
  return results;
});
const broken = violations(told, [], PROMISES);
console.log(table(comparisons));
console.log(`${told.length} claims, ${told.filter(({ renewed }) => renewed).length} of them renewals; ${broken.length} broken promises`);
for (const sentence of broken.slice(0, 5)) console.log(sentence);
if (flags.json) console.log(JSON.stringify({ bench: "claim", machine, numbers: NUMBERS, comparisons, claims: told.length, brokenPromises: broken.length }));
const reached = comparisons.every(({ callers, ratio }) => callers !== 32 || ratio >= LEAST_RATIO_AT_32);
if (!reached) console.log(`the ratio at 32 callers is below ${LEAST_RATIO_AT_32}`);
if (!reached || broken.length > 0) process.exitCode = 1;
