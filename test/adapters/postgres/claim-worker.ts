/**
 * One of several processes that claim numbers for the same prospects: `claim-worker.ts JSON`. Writes a line of JSON for each
 * thing it was told, at once, so that nothing acknowledged is unknown when it is killed.
 */
import { writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { batchedClaims } from "../../../src/adapters/postgres/batched-claims.ts";
import { connect } from "../../../src/adapters/postgres/connect.ts";
import { createStores } from "../../../src/adapters/postgres/stores.ts";
import type { NumberClaims } from "../../../src/domain/ports.ts";
import type { ClaimRequest, ClaimResult } from "../../../src/domain/types.ts";
import { createLogger } from "../../../src/shared/logger.ts";
import type { Acknowledged } from "./claim-invariants.ts";

export interface WorkerTask {
  readonly url: string;
  readonly pools: readonly string[];
  readonly prospects: readonly string[];
  readonly callers: number;
  readonly milliseconds: number;
}

export type ClaimLine = Acknowledged & { readonly type: "claim"; readonly device: string; readonly mediaElement: string };
export type WorkerLine =
  | ClaimLine
  | { readonly type: "refused"; readonly status: string }
  | { readonly type: "releasing"; readonly pool: string; readonly prospect: string; readonly at: number; readonly release: string }
  | { readonly type: "released"; readonly at: number; readonly release: string };

/** Some prospects are asked for by everybody at once. */
const POPULAR = 5;
let releases = 0;

function tell(line: WorkerLine): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

async function claim(claims: NumberClaims, task: WorkerTask, prospect: string): Promise<void> {
  const pools = Math.random() < 0.3 ? task.pools : [pick(task.pools)];
  const requests = pools.map((pool) => ({ pool, prospect, device: prospect, mediaElement: `element-${Math.floor(Math.random() * 3)}`, attributes: {} }));
  const results = await claims.claim(requests);
  results.forEach((result, index) => tellResult(requests[index]!, result));
}

function tellResult({ pool, prospect, device, mediaElement }: ClaimRequest, result: ClaimResult): void {
  if (result.status !== "assigned") {
    tell({ type: "refused", status: result.status });
    return;
  }
  const { did, renewed } = result;
  const times = { determinedAt: result.determinedAt.getTime(), leasedUntil: result.leasedUntil.getTime() };
  tell({ type: "claim", pool, prospect, device, mediaElement, did, renewed, ...times });
}

async function release(claims: NumberClaims, pool: string, prospect: string): Promise<void> {
  const name = `${process.pid}-${(releases += 1)}`;
  tell({ type: "releasing", pool, prospect, at: Date.now(), release: name });
  // Each prospect has one device, of the same id.
  await claims.release([pool], { device: prospect, isOnlyPage: true });
  tell({ type: "released", at: Date.now() + 1, release: name });
}

/** A visit: a few page views, then the number is given back or forgotten. */
async function visit(claims: NumberClaims, task: WorkerTask): Promise<void> {
  const prospect = Math.random() < 0.1 ? task.prospects[Math.floor(Math.random() * POPULAR)]! : pick(task.prospects);
  for (let views = Math.ceil(Math.random() * 4); views > 0; views -= 1) {
    await claim(claims, task, prospect);
    await sleep(Math.random() < 0.05 ? 300 : Math.random() * 40);
  }
  if (Math.random() < 0.3) await release(claims, pick(task.pools), prospect);
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)]!;
}

async function work(task: WorkerTask): Promise<void> {
  const logger = createLogger("warn");
  const pool = connect(task.url, logger, { max: 4 });
  const claims = batchedClaims(createStores(pool, task.url, logger).claims, { maxBatch: 50, parallel: 2, maxWaiting: 1000 });
  const end = Date.now() + task.milliseconds;
  const call = async () => {
    while (Date.now() < end) await visit(claims, task);
  };
  await Promise.all(Array.from({ length: task.callers }, call));
  await pool.end();
}

await work(JSON.parse(process.argv[2]!) as WorkerTask);
