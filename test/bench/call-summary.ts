import { percentile } from "./claim-load.ts";
import type { CallResults } from "./sip-ends.ts";
import { type Way, WAYS } from "./call-world.ts";

/** One run: one way, one rate. */
export interface Run {
  readonly way: Way;
  readonly callsPerSecond: number;
  readonly rtp: boolean;
  readonly calls: number;
  readonly failed: number;
  /** Answered, but by the dialplan's default and not by the router's rule: too slow to claim the call or to decide. */
  readonly byDefault: number;
  /** Channels and bridges that nobody ended. */
  readonly left: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** CPU of one call, of all processes of that kind. */
  readonly asteriskCpuMs: number;
  readonly nodeCpuMs: number;
  readonly postgresCpuMs: number;
  /** Packets that came back, of those sent; 1 without RTP. */
  readonly rtpReturned: number;
}

/** CPU time in milliseconds. */
export interface Cpu {
  readonly asterisk: number;
  readonly node: number;
  readonly postgres: number;
}

export const CAPACITY_P99_MS = 250;

export function summarise(of: Pick<Run, "way" | "callsPerSecond" | "rtp">, { setupMs, failed, rtpSent, rtpReturned, left, byDefault }: CallResults & Pick<Run, "left" | "byDefault">, cpu: Cpu): Run {
  const times = Float64Array.from(setupMs);
  const calls = setupMs.length + failed;
  const at = (share: number) => (times.length === 0 ? Infinity : percentile(times, share));
  return {
    ...of,
    calls,
    failed,
    byDefault,
    left,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
    asteriskCpuMs: cpu.asterisk / calls,
    nodeCpuMs: cpu.node / calls,
    postgresCpuMs: cpu.postgres / calls,
    rtpReturned: rtpSent === 0 ? 1 : rtpReturned / rtpSent,
  };
}

/** A call that the default destination got is no failure to the caller, and none that the router can be credited with. */
export function holds({ failed, byDefault, p99Ms }: Run): boolean {
  return failed === 0 && byDefault === 0 && p99Ms < CAPACITY_P99_MS;
}

/** The highest rate of one way in one repetition that held, with every lower one; 0 when the lowest did not. With RTP it is another figure. */
export function capacity(runs: readonly Run[]): number {
  let highest = 0;
  for (const run of runs.filter(({ rtp }) => !rtp).sort((a, b) => a.callsPerSecond - b.callsPerSecond)) {
    if (!holds(run)) break;
    highest = run.callsPerSecond;
  }
  return highest;
}

/** How near the highest rate that held and the lowest that did not have to be. */
const CAPACITY_WITHIN = 1.05;
/** Not far beyond what can be held: what comes next is measured on the same Asterisk, which is slower for a while after it was overrun. */
const FURTHER = 1.15;

/**
 * The rate to try next for the capacity of one way.
 *
 * @param runs all of this way in this repetition
 * @param most calls a second that are tried
 * @returns undefined when the capacity is known to a twentieth, above `most`, or below every rate that was tried
 */
export function nextRate(runs: readonly Run[], most: number): number | undefined {
  const held = capacity(runs);
  if (held === 0 || held >= most) return undefined;
  const failed = Math.min(...runs.filter(({ rtp, callsPerSecond }) => !rtp && callsPerSecond > held).map(({ callsPerSecond }) => callsPerSecond));
  if (failed === Infinity) return Math.min(most, Math.round(held * FURTHER));
  return failed <= held * CAPACITY_WITHIN ? undefined : Math.round(Math.sqrt(held * failed));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Figure by figure, the median of all repetitions; failures and calls are summed up. */
export function medianRun(runs: readonly Run[]): Run | undefined {
  const [first] = runs;
  if (first === undefined) return undefined;
  const of = (figure: (run: Run) => number) => median(runs.map(figure));
  const sum = (figure: (run: Run) => number) => runs.reduce((total, run) => total + figure(run), 0);
  return {
    ...first,
    calls: sum(({ calls }) => calls),
    failed: sum(({ failed }) => failed),
    byDefault: sum(({ byDefault }) => byDefault),
    left: sum(({ left }) => left),
    p50Ms: of(({ p50Ms }) => p50Ms),
    p95Ms: of(({ p95Ms }) => p95Ms),
    p99Ms: of(({ p99Ms }) => p99Ms),
    asteriskCpuMs: of(({ asteriskCpuMs }) => asteriskCpuMs),
    nodeCpuMs: of(({ nodeCpuMs }) => nodeCpuMs),
    postgresCpuMs: of(({ postgresCpuMs }) => postgresCpuMs),
    rtpReturned: of(({ rtpReturned }) => rtpReturned),
  };
}

export type Kind = Pick<Run, "callsPerSecond" | "rtp">;

/**
 * A figure of one way, of the same figure of native `Dial()` in the same repetition; the median over all repetitions. The two are measured
 * within a minute: a machine that gets slower from one repetition to the next changes the ratio less than the figures.
 *
 * @param figure of the runs of one way in one repetition
 */
export function ofNative(perRepetition: readonly (readonly Run[])[], way: Way, figure: (runs: readonly Run[]) => number): number {
  const of = (runs: readonly Run[], which: Way) => figure(runs.filter((run) => run.way === which));
  return median(perRepetition.map((runs) => of(runs, way) / of(runs, "native")));
}

/** p50 or another figure at one rate. */
export function at(kind: Kind, figure: (run: Run) => number): (runs: readonly Run[]) => number {
  return (runs) => {
    const run = runs.find(({ callsPerSecond, rtp }) => callsPerSecond === kind.callsPerSecond && rtp === kind.rtp);
    return run === undefined ? Number.NaN : figure(run);
  };
}

/** A line for each way at each rate, its ratio to native `Dial()` at the same rate beside it. */
export function table(runs: readonly Run[], perRepetition: readonly (readonly Run[])[]): readonly string[] {
  const kinds = [...new Set(runs.map(({ callsPerSecond, rtp }) => `${callsPerSecond}${rtp ? " RTP" : ""}`))];
  const ordered = kinds.flatMap((kind) => WAYS.flatMap((way) => runs.filter((run) => run.way === way && `${run.callsPerSecond}${run.rtp ? " RTP" : ""}` === kind)));
  return [
    "calls/s  way         p50 ms   p95 ms   p99 ms   of native (p50, p99)   failed      CPU ms a call: Asterisk  Node  Postgres",
    ...ordered.map((run) => {
      const ratioOf = (figure: (run: Run) => number) => `${ofNative(perRepetition, run.way, at(run, figure)).toFixed(2)}x`;
      const ratio = run.way === "native" ? "" : `${ratioOf(({ p50Ms }) => p50Ms)}, ${ratioOf(({ p99Ms }) => p99Ms)}`;
      const kind = `${run.callsPerSecond}${run.rtp ? " RTP" : ""}`;
      const media = run.rtp ? `   ${((1 - run.rtpReturned) * 100).toFixed(2)} % of packets lost` : "";
      const byDefault = run.byDefault === 0 ? "" : `   ${run.byDefault} by the dialplan's default`;
      const left = run.left === 0 ? "" : `   ${run.left} channels and bridges left behind`;
      return (
        `${kind.padEnd(8)} ${run.way.padEnd(10)} ${cells([run.p50Ms, run.p95Ms, run.p99Ms])}   ${ratio.padEnd(20)} ${`${run.failed} of ${run.calls}`.padStart(14)}` +
        `                  ${cells([run.asteriskCpuMs, run.nodeCpuMs, run.postgresCpuMs], 6)}${media}${byDefault}${left}`
      );
    }),
  ];
}

function cells(values: readonly number[], width = 8): string {
  return values.map((value) => (Number.isFinite(value) ? value.toFixed(1) : "-").padStart(width)).join(" ");
}
