/**
 * Call set-up of the router beside Asterisk's own Dial() and a naive ari-client application, in turns on the same Asterisk.
 * npm run bench:call [-- --json] [-- --quick] [-- --asking] [-- --rates 20,50,100,150,200 --repetitions 3 --seconds 8 --most 600 --rtp 20]
 */
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

import { at, capacity, type Cpu, type Kind, median, medianRun, nextRate, ofNative, type Run, summarise, table } from "./call-summary.ts";
import { type CallWorld, type Way, WAYS, withCallWorld } from "./call-world.ts";
import { cpuMs, cpuMsWithChildren } from "./cpu-time.ts";
import { machine } from "./ingress-world.ts";
import { readFlags, refuse } from "../harness/flags.ts";
import { eventually } from "../harness/process.ts";

/** Of native `Dial()`. */
const TARGET = { p50: 1.8, p99: 2, capacity: 0.5, at: 100 } as const;
const HOLD_MS = 1_000;
const RTP_HOLD_MS = 2_000;
/** Longer at the rate of the targets: of 800 calls, eight would decide p99. */
const LONGER_AT_TARGET = 2.5;
const WARM_UP_RATE = 100;
const RECORDS_WITHIN_MS = 10_000;

const flags = readFlags({
  json: { type: "boolean", default: false },
  quick: { type: "boolean", default: false },
  /** The router's rule goes by who is calling: the look-up is waited for. */
  asking: { type: "boolean", default: false },
  rates: { type: "string" },
  repetitions: { type: "string" },
  seconds: { type: "string" },
  most: { type: "string" },
  rtp: { type: "string", default: "20" },
});
const rates = (flags.rates ?? (flags.quick ? "20,100" : "20,50,100,150,200")).split(",").map((text) => number("--rates", text, 1, 1_000));
const repetitions = number("--repetitions", flags.repetitions ?? (flags.quick ? "2" : "3"), 1, 20);
const seconds = number("--seconds", flags.seconds ?? (flags.quick ? "4" : "8"), 1, 120);
const most = number("--most", flags.most ?? (flags.quick ? "0" : "600"), 0, 2_000);
const rtpRate = number("--rtp", flags.rtp, 0, 100);

function number(name: string, text: string, least: number, greatest: number): number {
  const value = Number(text);
  if (!(value >= least && value <= greatest)) refuse(`${name} must be from ${least} to ${greatest}, and is ${text}`);
  return value;
}

const say = (text: string) => process.stderr.write(`${text}\n`);

async function cpuOf({ pids }: CallWorld, way: Way): Promise<Cpu> {
  return {
    asterisk: await cpuMs(pids.asterisk),
    node: way === "native" ? 0 : await cpuMs(pids[way]),
    postgres: way === "dialplane" ? await cpuMsWithChildren(pids.postgres) : 0,
  };
}

/** CPU is counted until the last channel is gone. */
async function measure(world: CallWorld, kind: Pick<Run, "way" | "callsPerSecond" | "rtp">): Promise<Run> {
  const routedBefore = await world.routed();
  const before = await cpuOf(world, kind.way);
  const holdMs = kind.rtp ? RTP_HOLD_MS : HOLD_MS;
  const results = await world.ends[kind.way].run({ ...kind, numbers: world.numbers, seconds: kind.callsPerSecond === TARGET.at ? seconds * LONGER_AT_TARGET : seconds, holdMs });
  const left = await world.clear();
  const after = await cpuOf(world, kind.way);
  const cpu = { asterisk: after.asterisk - before.asterisk, node: after.node - before.node, postgres: after.postgres - before.postgres };
  const byDefault = kind.way === "dialplane" ? await notRouted(world, routedBefore + results.setupMs.length) : 0;
  const run = summarise(kind, { ...results, left, byDefault }, cpu);
  say(`${kind.way} at ${kind.callsPerSecond}/s${kind.rtp ? " with RTP" : ""}: p50 ${run.p50Ms.toFixed(1)} ms, p99 ${run.p99Ms.toFixed(1)} ms, ${run.failed} of ${run.calls} failed${byDefault === 0 ? "" : `, ${byDefault} by the dialplan's default`}${left === 0 ? "" : `, ${left} channels and bridges left behind`}`);
  await sleep(1_000);
  return run;
}

/** Records come after the calls. @param expected of all calls so far, when each answered one was routed */
async function notRouted(world: CallWorld, expected: number): Promise<number> {
  const seen = async () => (await world.routed()) >= expected;
  await eventually("a record of each call", seen, RECORDS_WITHIN_MS).catch(() => undefined);
  return Math.max(0, expected - (await world.routed()));
}

/** The order turns with each repetition, so that none always comes after the same other. */
function inTurn(repetition: number): readonly Way[] {
  return WAYS.map((_, index) => WAYS[(index + repetition) % WAYS.length]!);
}

async function repetition(world: CallWorld, index: number): Promise<readonly Run[]> {
  const runs: Run[] = [];
  for (const callsPerSecond of rates) {
    for (const way of inTurn(index)) runs.push(await measure(world, { way, callsPerSecond, rtp: false }));
  }
  for (const way of rtpRate === 0 ? [] : inTurn(index)) runs.push(await measure(world, { way, callsPerSecond: rtpRate, rtp: true }));
  return [...runs, ...(await upToTheLimit(world, index, runs))];
}

/** One rate of each way in turn, until the capacity of each is known: a machine that gets slower meanwhile does so for all of them. */
async function upToTheLimit(world: CallWorld, index: number, before: readonly Run[]): Promise<readonly Run[]> {
  const runs: Run[] = [];
  let searching = true;
  while (searching) {
    searching = false;
    for (const way of inTurn(index)) {
      const callsPerSecond = nextRate([...before, ...runs].filter((run) => run.way === way), most);
      if (callsPerSecond === undefined) continue;
      runs.push(await measure(world, { way, callsPerSecond, rtp: false }));
      searching = true;
    }
  }
  return runs;
}

function report(perRepetition: readonly (readonly Run[])[], load: readonly number[]) {
  // What was tried for the capacity differs from one repetition and way to the next.
  const all = perRepetition.flat().filter(({ rtp, callsPerSecond }) => rtp || rates.includes(callsPerSecond));
  const kinds = [...new Map(all.map(({ way, callsPerSecond, rtp }) => [`${way} ${callsPerSecond} ${rtp}`, { way, callsPerSecond, rtp }])).values()];
  const same = (run: Run, kind: Pick<Run, "way" | "callsPerSecond" | "rtp">) => run.way === kind.way && run.callsPerSecond === kind.callsPerSecond && run.rtp === kind.rtp;
  const medians = kinds.flatMap((kind) => medianRun(all.filter((run) => same(run, kind))) ?? []);
  const capacityOf = (way: Way) => median(perRepetition.map((runs) => capacity(runs.filter((run) => run.way === way))));
  return {
    machine: machine(),
    asking: flags.asking,
    loadAverage: load,
    repetitions,
    seconds,
    medians,
    capacity: { native: capacityOf("native"), naive: capacityOf("naive"), dialplane: capacityOf("dialplane"), searchedUpTo: Math.max(most, ...rates) },
    runs: perRepetition,
  };
}

/** Not a number where it was not measured. */
function missed(perRepetition: readonly (readonly Run[])[]): readonly string[] {
  const kind: Kind = { callsPerSecond: TARGET.at, rtp: false };
  const p50 = ofNative(perRepetition, "dialplane", at(kind, ({ p50Ms }) => p50Ms));
  const p99 = ofNative(perRepetition, "dialplane", at(kind, ({ p99Ms }) => p99Ms));
  const reached = ofNative(perRepetition, "dialplane", capacity);
  return [
    ...(p50 > TARGET.p50 ? [`p50 at ${TARGET.at}/s at most ${TARGET.p50}x of native: ${p50.toFixed(2)}x`] : []),
    ...(p99 > TARGET.p99 ? [`p99 at ${TARGET.at}/s at most ${TARGET.p99}x of native: ${p99.toFixed(2)}x`] : []),
    ...(reached < TARGET.capacity ? [`capacity at least ${TARGET.capacity}x of native: ${reached.toFixed(2)}x`] : []),
  ];
}

const loadBefore = loadavg();
const perRepetition = await withCallWorld({ asking: flags.asking }, async (world) => {
  say("warming up");
  // As fast as what is measured: a program that has handled few calls is not yet compiled, and its heap still grows.
  for (const way of WAYS) await measure(world, { way, callsPerSecond: WARM_UP_RATE, rtp: false });
  const done: (readonly Run[])[] = [];
  for (let index = 0; index < repetitions; index += 1) {
    say(`repetition ${index + 1} of ${repetitions}`);
    done.push(await repetition(world, index));
  }
  return done;
});
const result = report(perRepetition, loadBefore);
if (flags.json) {
  process.stdout.write(`${JSON.stringify(result)}\n`);
} else {
  const { native, naive, dialplane, searchedUpTo } = result.capacity;
  process.stdout.write(
    [
      `${result.machine}; load average before ${loadBefore.map((value) => value.toFixed(1)).join(", ")}; ${repetitions} repetitions of ${seconds} s (${seconds * LONGER_AT_TARGET} s at ${TARGET.at}/s), medians; ratios within a repetition`,
      `Set-up: INVITE sent to 200 received at the caller; the far side answers at once; the router's rule ${flags.asking ? "asks" : "does not ask"} who is calling`,
      ...table(result.medians, perRepetition),
      `capacity (no failure, p99 below 250 ms; searched up to ${searchedUpTo}/s): native ${native}, naive ${naive}, dialplane ${dialplane} calls/s`,
      "",
    ].join("\n"),
  );
}
for (const target of missed(perRepetition)) {
  say(`missed: ${target}`);
  process.exitCode = 1;
}
