import type { Usage } from "./usage.ts";

export interface Sample {
  /** Since the first call. */
  readonly minute: number;
  readonly router: Usage;
  /** Megabytes, the least since the sample before: a collection's trough lasts for seconds, and samples are minutes apart. */
  readonly routerLeast: number;
  readonly asterisk: Usage;
  readonly channels: number;
  readonly bridges: number;
}

export interface SoakEvidence {
  /** Before the first call. */
  readonly before: Sample;
  /** While calls come, in order. */
  readonly samples: readonly Sample[];
  /** When all calls are over. */
  readonly after: Sample;
  readonly calls: { readonly placed: number; readonly failed: number; readonly why: readonly string[] };
  readonly records: { readonly all: number; readonly open: number };
}

/** What was left after collections of garbage, in the first and in the second half of the time after the warm-up. */
export interface Growth {
  readonly fromMegabytes: number;
  readonly toMegabytes: number;
}

/** Share of the run until caches are warm and the heap has found its size. */
const WARM_UP = 1 / 3;
/** What half an hour of caches may add. */
const SLACK_MEGABYTES = 15;
/** Sockets of a database pool, of a fetch that is kept alive. */
const SLACK_FILES = 12;

/** The least of each half: memory goes up and down by a hundred megabytes between two collections, and what leaked stays below. */
export function growthAfterWarmUp(samples: readonly Sample[], megabytes: (sample: Sample) => number): Growth {
  const warm = samples.slice(Math.floor(samples.length * WARM_UP)).map(megabytes);
  const half = Math.ceil(warm.length / 2);
  return { fromMegabytes: Math.min(...warm.slice(0, half)), toMegabytes: Math.min(...warm.slice(-half)) };
}

/** One sentence for everything that grew or was left behind. */
export function leaks({ before, samples, after, calls, records }: SoakEvidence): readonly string[] {
  const { fromMegabytes, toMegabytes } = growthAfterWarmUp(samples, ({ routerLeast }) => routerLeast);
  const held = (name: "router" | "asterisk") => after[name].files - before[name].files;
  const found: readonly (readonly [boolean, string])[] = [
    [calls.placed === 0, "no call was placed"],
    [calls.failed > 0, `${calls.failed} calls failed: ${calls.why.join("; ")}`],
    [toMegabytes > fromMegabytes + SLACK_MEGABYTES, `the router grew from ${fromMegabytes} to ${toMegabytes} MB after its warm-up`],
    [held("router") > SLACK_FILES, `the router has ${held("router")} more files open than before the first call`],
    [held("asterisk") > SLACK_FILES, `Asterisk has ${held("asterisk")} more files open than before the first call`],
    [after.channels > 0, `${after.channels} channels were left behind`],
    [after.bridges > 0, `${after.bridges} bridges were left behind`],
    [records.open > 0, `${records.open} records are open`],
    // Fewer are possible: on a busy machine the dialplan may have gone on by itself, and then no router saw the call.
    [records.all > calls.placed, `${calls.placed} calls have ${records.all} records`],
  ];
  return found.flatMap(([is, sentence]) => (is ? [sentence] : []));
}
