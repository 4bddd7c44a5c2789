import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { eventually } from "../harness/process.ts";
import { readStories } from "./call-log.ts";
import { type CallWorld, heldBy, LOGS, sippCounts, startCallWorld } from "./call-world.ts";
import type { Sample, SoakEvidence } from "./growth.ts";
import { residentMegabytes, usageOf } from "./usage.ts";

export interface SoakOptions {
  /** How long calls are placed. */
  readonly seconds: number;
  /** Calls a second. */
  readonly rate: number;
  readonly holdMs: number;
  readonly samples: number;
  readonly onSample?: (sample: Sample) => void;
}

const QUIET_AGAIN_MS = 60_000;
/** Sockets of the last calls' audio close a little later, and the garbage collector has nothing to do any more. */
const SETTLE_MS = 5_000;

const REASONS = 5;
const WATCH_MS = 1_000;

/** Calls for a long time and nothing else. */
export async function runSoak(options: SoakOptions): Promise<SoakEvidence> {
  await using parts = new AsyncDisposableStack();
  const world = await startCallWorld(parts, "warn");
  world.startRouter();
  await world.routerReady();
  const startedAt = performance.now();
  const least = await watchLeast(() => residentMegabytes(world.router().pid));
  parts.defer(() => least.stop());
  const take = () => sample(world, startedAt, least);
  const before = await take();
  const callers = await world.startCallers({ ...options, calls: Math.ceil(options.rate * options.seconds) });
  parts.defer(() => callers.kill("SIGKILL"));
  const samples = await samplesUntil(callers.exited, take, options);
  await eventually("all calls are over", () => isQuiet(world), QUIET_AGAIN_MS).catch(() => false);
  await sleep(SETTLE_MS);
  const after = await take();
  const { created, failed } = await sippCounts(world.folder);
  const [records] = await world.query<{ all: number; open: number }>(`select count(*)::int as "all", count(*) filter (where ended_at is null)::int as open from call`);
  return { before, samples, after, calls: { placed: created, failed, why: failed === 0 ? [] : await reasons(world.folder) }, records: records ?? { all: 0, open: 0 } };
}

/** What the callers saw instead of what they expected; the first few of each. */
async function reasons(folder: string): Promise<readonly string[]> {
  const stories = await readStories(folder);
  const [unanswered, cut] = [stories.filter(({ answered }) => answered === null), stories.filter((story) => story.cut !== null)];
  const errors = await readFile(join(folder, LOGS.errors), "utf8").catch(() => "");
  const messages = errors.split("\n").filter((line) => /^\d{4}-\d\d-\d\d/.test(line));
  return [
    `${unanswered.length} were not answered, ${cut.length} were hung up by the other side, SIPp wrote ${messages.length} messages`,
    ...[...unanswered, ...cut].slice(0, REASONS).map((story) => JSON.stringify(story)),
    ...messages.slice(0, REASONS),
  ];
}

async function samplesUntil(done: Promise<unknown>, take: () => Promise<Sample>, { seconds, samples: wanted, onSample }: SoakOptions): Promise<readonly Sample[]> {
  const finished = done.then(() => "done" as const);
  const samples: Sample[] = [];
  while ((await Promise.race([finished, sleep((seconds * 1000) / (wanted + 1), "go on" as const)])) !== "done") {
    const one = await take();
    samples.push(one);
    onSample?.(one);
  }
  return samples;
}

interface Least {
  /** Since it was last asked for. */
  take(): number;
  stop(): void;
}

async function watchLeast(measure: () => Promise<number>): Promise<Least> {
  let [last, least] = [await measure(), Infinity];
  const look = async (): Promise<void> => {
    last = await measure();
    least = Math.min(least, last);
  };
  // Gone with its process when the world ends.
  const timer = setInterval(() => void look().catch(() => undefined), WATCH_MS);
  return {
    take: () => {
      const taken = Math.min(least, last);
      least = Infinity;
      return taken;
    },
    stop: () => clearInterval(timer),
  };
}

async function sample(world: CallWorld, startedAt: number, least: Least): Promise<Sample> {
  const [router, asterisk] = [await usageOf(world.router().pid), await usageOf(world.world.asterisk.pid)];
  const minute = Math.round((performance.now() - startedAt) / 6_000) / 10;
  return { minute, router, routerLeast: least.take(), asterisk, ...(await heldBy(world.world)) };
}

async function isQuiet(world: CallWorld): Promise<boolean> {
  const { channels, bridges } = await heldBy(world.world);
  const [open] = await world.query<{ count: number }>("select count(*)::int as count from call where ended_at is null");
  return channels + bridges + (open?.count ?? 0) === 0;
}
