/**
 * Every measurement that has a target, one after the other, and what was reached of each. npm run bench [-- --only call,http] [-- --json]
 * Exit code 1: a target was missed; 2: a measurement failed.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { readFlags, refuse } from "../harness/flags.ts";

interface Row {
  readonly what: string;
  readonly against: string;
  readonly target: string;
  readonly reached: string;
  readonly isMet: boolean;
}

/** What a measurement's last line says, as far as a target is about it. */
type Answer = never;
interface Measurement {
  readonly file: string;
  readonly rows: (answer: Answer) => readonly Row[];
}

const factor = (value: number) => `${value.toFixed(2)}x`;

interface CallRun {
  readonly way: string;
  readonly callsPerSecond: number;
  readonly rtp: boolean;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const MEASUREMENTS: Readonly<Record<string, Measurement>> = {
  call: {
    file: "call.ts",
    rows: ({ medians, capacity }: { medians: readonly CallRun[]; capacity: { native: number; naive: number; dialplane: number } }) => {
      const at = (way: string) => medians.find((run) => run.way === way && run.callsPerSecond === 100 && !run.rtp);
      const [native, naive, ours] = [at("native"), at("naive"), at("dialplane")];
      if (native === undefined || naive === undefined || ours === undefined) return [];
      const [p50, p99] = [ours.p50Ms / native.p50Ms, ours.p99Ms / native.p99Ms];
      const against = `native Dial(); naive ari-client: ${factor(naive.p50Ms / native.p50Ms)}, ${factor(naive.p99Ms / native.p99Ms)}`;
      const share = capacity.dialplane / capacity.native;
      return [
        { what: "call set-up at 100 calls/s", against, target: "p50 <= 1.8x, p99 <= 2x", reached: `${factor(p50)}, ${factor(p99)}`, isMet: p50 <= 1.8 && p99 <= 2 },
        {
          ...{ what: "calls/s without failure, p99 < 250 ms", against: `native Dial() ${capacity.native}/s; naive ari-client ${capacity.naive}/s`, target: ">= 0.5x" },
          ...{ reached: `${capacity.dialplane}/s, ${factor(share)}`, isMet: share >= 0.5 },
        },
      ];
    },
  },
  claim: {
    file: "claim.ts",
    rows: ({ comparisons }: { comparisons: readonly { callers: number; ratio: number; single: { p99Ms: number }; batched: { p99Ms: number } }[] }) =>
      comparisons
        .filter(({ callers }) => callers === 32)
        .map(({ ratio, single, batched }) => {
          const reached = `${factor(ratio)}, p99 ${batched.p99Ms.toFixed(1)} ms to ${single.p99Ms.toFixed(1)} ms`;
          return { what: "durable claims a second, 32 waiting callers", against: "one claim a transaction", target: ">= 5x, p99 lower", reached, isMet: ratio >= 5 && batched.p99Ms < single.p99Ms };
        }),
  },
  http: {
    file: "http.ts",
    rows: ({ ratios }: { ratios: Readonly<Record<string, number>> }) =>
      Object.entries(ratios).map(([visitors, ratio]) => {
        return { what: `POST /v1/numbers a second, ${visitors} visitors`, against: "bare Express echo", target: ">= 0.9x", reached: factor(ratio), isMet: ratio >= 0.9 };
      }),
  },
  operator: {
    file: "operator.ts",
    rows: ({ rollout, world }: { rollout: { verifiedMs: { p50: number; p99: number } }; world: { kubectlApplySeconds: number; firstSync: { statusSeconds: number; peakMegabytes: number } } }) => {
      const { p50, p99 } = rollout.verifiedMs;
      const { statusSeconds, peakMegabytes } = world.firstSync;
      return [
        { what: "a change verified in 3 Asterisk", against: "", target: "p50 <= 500 ms, p99 <= 2 s", reached: `p50 ${p50} ms, p99 ${p99} ms`, isMet: p50 <= 500 && p99 <= 2_000 },
        {
          ...{ what: "first sync of a large world", against: `bare kubectl apply, ${world.kubectlApplySeconds.toFixed(0)} s`, target: "<= 60 s, <= 300 MB" },
          ...{ reached: `${statusSeconds.toFixed(0)} s, ${peakMegabytes} MB`, isMet: statusSeconds <= 60 && peakMegabytes <= 300 },
        },
      ];
    },
  },
  snippet: {
    file: "snippet.ts",
    rows: ({ results, tracker }: { tracker: string; results: readonly { page: string; visitor: string; figures: { swappedMs: { p50: number } | null } }[] }) =>
      results
        .filter(({ page, visitor }) => page === "dialplane" && visitor === "first")
        .map(({ figures: { swappedMs } }) => {
          const p50 = swappedMs?.p50 ?? Infinity;
          return { what: "number swapped after DOM ready, first visit", against: tracker, target: "before 50 ms", reached: `p50 ${p50.toFixed(1)} ms`, isMet: p50 < 50 };
        }),
  },
  size: {
    file: "size.ts",
    rows: ({ size: { snippet, tracker } }: { size: { snippet: { gzip: number }; tracker: { name: string; gzip: number } } }) => [
      { what: "browser script, gzip", against: `${tracker.name}, ${tracker.gzip} bytes`, target: "smaller", reached: `${snippet.gzip} bytes`, isMet: snippet.gzip < tracker.gzip },
    ],
  },
};

/** @throws Error when it ended without an answer */
function measure(file: string): Promise<Answer> {
  const child = spawn(process.execPath, [join(import.meta.dirname, file), "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    process.stderr.write(text);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      const answer = output.split("\n").findLast((line) => line.startsWith("{"));
      if (answer === undefined) reject(new Error(`${file} ended with ${code} and no result`));
      else resolve(JSON.parse(answer) as Answer);
    });
  });
}

const options = readFlags({ json: { type: "boolean", default: false }, only: { type: "string" } });
const names = options.only?.split(",") ?? Object.keys(MEASUREMENTS);
const unknown = names.filter((name) => !Object.hasOwn(MEASUREMENTS, name));
if (unknown.length > 0) refuse(`--only: must be of ${Object.keys(MEASUREMENTS).join(", ")}, not ${unknown.join(", ")}`);
const rows: Row[] = [];
for (const name of names) {
  const measurement = MEASUREMENTS[name];
  if (measurement === undefined) continue;
  try {
    rows.push(...measurement.rows(await measure(measurement.file)));
  } catch (error) {
    process.stderr.write(`${name}: ${String(error)}\n`);
    process.exitCode = 2;
  }
}
if (options.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
else {
  const lines = rows.map(({ what, against, target, reached, isMet }) => `| ${what} | ${against} | ${target} | ${reached} | ${isMet ? "yes" : "no"} |`);
  process.stdout.write(["| what | against | target | reached | met |", "|---|---|---|---|---|", ...lines, ""].join("\n"));
}
if (process.exitCode === undefined && rows.some(({ isMet }) => !isMet)) process.exitCode = 1;
