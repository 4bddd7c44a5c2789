import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import pg from "pg";

import { SERVED_FILE } from "../../src/domain/asterisk-names.ts";
import { eventually } from "../harness/process.ts";
import { callFaults, type Fault, type FaultTimes } from "./call-faults.ts";
import { type Evidence, type FaultWindow, judge, type StoredCall, type Verdict } from "./call-judge.ts";
import { type CallStory, linesOf, readStories, readTaken } from "./call-log.ts";
import { type CallWorld, heldBy, LOGS, sippCounts, startCallWorld } from "./call-world.ts";

export interface CallsChaosOptions {
  /** How long calls are placed. */
  readonly seconds: number;
  /** Calls a second. */
  readonly rate: number;
  readonly holdMs: number;
  /** Between the end of a fault and the next. */
  readonly quietMs: number;
  readonly times: FaultTimes;
  readonly onFault?: (window: FaultWindow) => void;
  readonly onEnd?: (aftermath: Aftermath) => void;
  /** The first few calls of which a promise was broken. */
  readonly onWronged?: (call: Wronged) => void;
}

/** To find out why, when a promise was broken. */
export interface Wronged {
  /** What callers and called wrote down of it. */
  readonly story: CallStory | undefined;
  readonly records: readonly Readonly<Record<string, unknown>>[];
  /** What routers logged of it. */
  readonly log: readonly string[];
}

/** To find out why, when something was left behind. */
export interface Aftermath {
  /** Records that are open when all calls are over. */
  readonly open: readonly { readonly id: string; readonly received_at: Date; readonly answered_at: Date | null; readonly bridged_at: Date | null }[];
  /** Channels that went without an event, which the router found out by looking. */
  readonly unheard: number;
  /** Times that channels of live calls were not the application's any more. */
  readonly unwatched: number;
}

const QUIET_AGAIN_MS = 60_000;
const MOST_WRONGED = 5;

/** Calls all the time, and one fault after the other, each kind equally often, in random order. */
export async function runCallsChaos(options: CallsChaosOptions): Promise<Verdict> {
  await using parts = new AsyncDisposableStack();
  const world = await startCallWorld(parts, "info");
  world.startRouter();
  await world.routerReady();
  const callers = await world.startCallers({ ...options, calls: Math.ceil(options.rate * options.seconds) });
  parts.defer(() => callers.kill("SIGKILL"));
  const windows = await faultsUntil(callers.exited, world, options);
  const left = await leftAfterwards(world);
  options.onEnd?.(await aftermathOf(world));
  const evidence = await evidenceOf(world, windows, left);
  const verdict = judge(evidence);
  for (const caller of verdict.wronged.slice(0, MOST_WRONGED)) options.onWronged?.(await wronged(world, evidence, caller));
  return verdict;
}

async function wronged(world: CallWorld, { stories }: Evidence, caller: string): Promise<Wronged> {
  const rows = await world.query<Record<string, unknown> & { readonly id: string }>(`select * from call where caller = ${pg.escapeLiteral(caller)}`);
  const log: string[] = [];
  for await (const line of linesOf(join(world.folder, LOGS.router))) if (rows.some(({ id }) => line.includes(id))) log.push(line);
  return { story: stories.find((story) => story.caller === caller), records: rows, log };
}

async function faultsUntil(done: Promise<unknown>, world: CallWorld, { times, quietMs, onFault }: CallsChaosOptions): Promise<readonly FaultWindow[]> {
  const finished = done.then(() => "done" as const);
  const windows: FaultWindow[] = [];
  let turn: readonly Fault[] = [];
  for (;;) {
    if ((await Promise.race([finished, sleep(quietMs, "go on" as const)])) === "done") return windows;
    if (turn.length === 0) turn = shuffled(callFaults(times));
    const [fault, ...others] = turn;
    turn = others;
    if (fault === undefined) continue;
    const from = Date.now();
    await fault.run(world);
    const window = { fault: fault.name, from, to: Date.now() };
    windows.push(window);
    onFault?.(window);
  }
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  const mixed = items.map((item) => ({ item, at: Math.random() })).sort((a, b) => a.at - b.at);
  return mixed.map(({ item }) => item);
}

const OPEN = "select (select count(*) from call where ended_at is null)::int as records, (select count(*) from live_leg)::int as legs";

/** Waits until nothing is left, and tells what is. */
async function leftAfterwards(world: CallWorld): Promise<Evidence["left"]> {
  const look = async () => {
    const [{ channels, bridges }, [open]] = [await heldBy(world.world), await world.query<{ records: number; legs: number }>(OPEN)];
    const unread = (await readdir(join(world.world.asterisk.configDir, dirname(SERVED_FILE)))).length;
    return { channels, bridges, liveLegs: open?.legs ?? 0, records: open?.records ?? 0, unread };
  };
  const nothing = async () => Object.values(await look()).every((count) => count === 0);
  await eventually("everything came to its end", nothing, QUIET_AGAIN_MS).catch(() => false);
  const { channels, bridges, liveLegs } = await look();
  return { channels, bridges, liveLegs };
}

async function aftermathOf(world: CallWorld): Promise<Aftermath> {
  const log = await readFile(join(world.folder, LOGS.router), "utf8");
  const open = await world.query<Aftermath["open"][number]>("select id, received_at, answered_at, bridged_at from call where ended_at is null order by received_at limit 100");
  return { open, unheard: log.split("no event had told so").length - 1, unwatched: log.split("were not the application's any more").length - 1 };
}

async function evidenceOf(world: CallWorld, windows: readonly FaultWindow[], left: Evidence["left"]): Promise<Evidence> {
  const { folder } = world;
  const records = await world.query<StoredCall>(`select id, caller, ending as "end", answered_at is not null as answered from call`);
  return { stories: await readStories(folder), windows, records, taken: await readTaken(folder), left, sippFailed: (await sippCounts(folder)).failed };
}
