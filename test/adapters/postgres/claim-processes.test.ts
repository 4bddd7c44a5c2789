import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";

import { createStores } from "../../../src/adapters/postgres/stores.ts";
import { anAssignment, aPool, e164 } from "../../domain/builders.ts";
import { silent } from "../../harness/logger.ts";
import { freshDatabase, type TestDatabase } from "../../harness/postgres.ts";
import { eventually, startProcess, type TestProcess } from "../../harness/process.ts";
import { type Acknowledged, missingFromHistory, type Promises, type Released, type Shown, violations } from "./claim-invariants.ts";
import type { ClaimLine, WorkerLine, WorkerTask } from "./claim-worker.ts";

const WORKER = join(import.meta.dirname, "claim-worker.ts");
const WORKERS = 8;
const LOAD_MS = 12_000;
const PROMISES: Promises = { leaseMs: 2_000, cooldownMs: 1_000 };
const PROSPECTS = Array.from({ length: 700 }, () => randomUUID());
const POOLS = [
  { key: "test/scarce", from: "+12025550000", to: "+12025550249" },
  { key: "test/plenty", from: "+12025551000", to: "+12025551499" },
];

let database: TestDatabase;
const workers: TestProcess[] = [];

beforeAll(async () => {
  database = await freshDatabase();
  const assignment = anAssignment({ leaseSeconds: PROMISES.leaseMs / 1000, cooldownSeconds: PROMISES.cooldownMs / 1000 });
  const pools = POOLS.map(({ key, ...text }) => {
    const range = { from: e164(text.from), to: e164(text.to) };
    return { ...aPool({ ranges: [range], assignment }, { key }), generation: 1, owned: [range] };
  });
  const dialplan = { hash: "test", marker: "DIALPLANE_REVISION=test", content: "" };
  await createStores(database.pool, database.url, silent).operator.apply({ pools, rules: [], trunks: [], dialplan: () => dialplan });
});

afterAll(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await database.drop();
});

function startWorker(): TestProcess {
  const task: WorkerTask = { url: database.url, pools: POOLS.map(({ key }) => key), prospects: PROSPECTS, callers: 6, milliseconds: LOAD_MS };
  return startProcess([process.execPath, WORKER, JSON.stringify(task)]);
}

/** Of its first claim: how long a process takes to start says the machine. */
async function killAfter(worker: TestProcess, milliseconds: number): Promise<void> {
  await eventually("its first claim", () => worker.output().includes('"type":"claim"'), 30_000);
  await sleep(milliseconds);
  worker.kill("SIGKILL");
}

/** The last line of a killed process may be half written. */
function linesOf(worker: TestProcess): WorkerLine[] {
  return worker
    .output()
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as WorkerLine);
}

/** A release that was never acknowledged may have happened as long as its statement may have run after the kill. */
function releasesOf(lines: readonly WorkerLine[]): Released[] {
  const ends = new Map(lines.flatMap((line) => (line.type === "released" ? [[line.release, line.at] as const] : [])));
  return lines.flatMap((line) => {
    if (line.type !== "releasing") return [];
    return [{ pool: line.pool, prospect: line.prospect, startedAt: line.at, endedAt: ends.get(line.release) ?? Number.POSITIVE_INFINITY }];
  });
}

async function readHistory(): Promise<(Shown & { pool: string })[]> {
  const { rows } = await database.pool.query<{ did: string; pool: string; prospect: string; device: string; element: string; leased_from: Date }>(
    `select a.did, p.key as pool, a.prospect_id as prospect, a.device_id as device, a.media_element as element, a.leased_from
     from association a join pool p on p.uid = a.pool_uid`,
  );
  return rows.map((row) => ({ ...row, did: `+${row.did}`, mediaElement: row.element, leasedFrom: row.leased_from.getTime() }));
}

/** What a killed process was never told was promised all the same. */
function asPromise({ did, pool, prospect, leasedFrom }: Shown & { pool: string }): Acknowledged {
  return { did, pool, prospect, determinedAt: leasedFrom, leasedUntil: leasedFrom + PROMISES.leaseMs, renewed: false };
}

it("every promise holds with eight processes at the same prospects and numbers, two of them killed", { timeout: 60_000 }, async () => {
  for (let index = 0; index < WORKERS; index += 1) workers.push(startWorker());
  const kills = workers.slice(0, 2).map((worker) => killAfter(worker, 1_000 + Math.random() * 5_000));
  await Promise.all(kills);
  const exits = await Promise.all(workers.map((worker) => worker.exited));
  const failed = workers.filter((_, index) => index > 1 && exits[index]!.code !== 0).map((worker) => worker.output().slice(-1000));
  expect(failed).toEqual([]);
  expect(exits.slice(0, 2).map(({ signal }) => signal)).toEqual(["SIGKILL", "SIGKILL"]);

  const lines = workers.map(linesOf);
  const claims = lines.flat().filter((line): line is ClaimLine => line.type === "claim");
  const releases = lines.flatMap(releasesOf);
  const history = await readHistory();

  // The load was one: every process got numbers, numbers changed hands, pools ran dry, prospects came back.
  expect(lines.map((ofOne) => ofOne.some(({ type }) => type === "claim"))).not.toContain(false);
  expect(new Set(claims.map(({ prospect, did }) => `${prospect} ${did}`)).size).toBeGreaterThan(1_500);
  expect(lines.flat().filter(({ type }) => type === "refused").length).toBeGreaterThan(50);
  expect(claims.filter(({ renewed }) => renewed).length).toBeGreaterThan(500);
  expect(releases.length).toBeGreaterThan(100);

  expect(violations([...claims, ...history.map(asPromise)], releases, PROMISES)).toEqual([]);
  expect(missingFromHistory(claims, history)).toEqual([]);
});
