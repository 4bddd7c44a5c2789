/**
 * Recognisable audio: every telephone spells its own number, over and over, in the tone pairs of
 * multi-frequency signalling (ITU-T Q.320: two of six frequencies, 200 Hz apart). Whoever hears it can tell
 * from the sound alone WHOSE voice arrived, so that silence, noise or crossed lines never pass for audio.
 */
export interface AudioReport {
  /** The number that should be heard; null when nobody is known who should. */
  readonly expected: string | null;
  /** The number that was heard most often, null when none was. */
  readonly detected: string | null;
  /** The expected number was heard in full at least once, and no other as often. */
  readonly ok: boolean;
  /** Complete repetitions of the expected number. */
  readonly rounds: number;
  /** Seconds of the recording that these repetitions fill. */
  readonly seconds: number;
  /** Length of the whole recording. */
  readonly recordedSeconds: number;
  /** Loudness (root mean square) relative to full scale; -Infinity for digital silence. */
  readonly levelDbfs: number;
  /** The strongest frequencies, strongest first; none in silence. */
  readonly dominantHz: readonly number[];
}

export const SAMPLE_RATE = 8_000;

const TONE_MS = 50;
const GAP_MS = 30;
const FREQUENCIES = [700, 900, 1_100, 1_300, 1_500, 1_700] as const;
const PAIRS: Readonly<Record<string, readonly [number, number]>> = {
  "1": [700, 900],
  "2": [700, 1_100],
  "3": [900, 1_100],
  "4": [700, 1_300],
  "5": [900, 1_300],
  "6": [1_100, 1_300],
  "7": [700, 1_500],
  "8": [900, 1_500],
  "9": [1_100, 1_500],
  "0": [1_300, 1_500],
  K: [1_100, 1_700], // KP: a number begins
  S: [1_500, 1_700], // ST: a number ends
};
/** 20 ms: the six frequencies are whole multiples of 1 / 20 ms, so none leaks into another. */
const WINDOW = SAMPLE_RATE / 50;
const HOP = WINDOW / 2;
/** A pause longer than this inside a number makes it incomplete. */
const LONGEST_GAP_MS = 150;
/** -60 dBFS as mean square; below it a window counts as silent. */
const SILENCE = 1e-6;

/** The time one repetition of a number takes. */
export function roundSeconds(number: string): number {
  return (spelling(number).length * (TONE_MS + GAP_MS)) / 1_000;
}

/** The argument of Asterisk's `Playtones()`: repeats until stopped. `|` separates, since `,` separates variables in AMI. */
export function playtones(number: string): string {
  return spelling(number).map((symbol) => `${pairOf(symbol).join("+")}/${TONE_MS}|0/${GAP_MS}`).join("|");
}

/** The same signal as samples from -1 to 1. */
export function synthesize(number: string, seconds: number): Float64Array {
  const symbols = spelling(number);
  const step = ((TONE_MS + GAP_MS) * SAMPLE_RATE) / 1_000;
  const tone = (TONE_MS * SAMPLE_RATE) / 1_000;
  return Float64Array.from({ length: Math.round(seconds * SAMPLE_RATE) }, (_, index) => {
    const symbol = symbols[Math.floor(index / step) % symbols.length] ?? "K";
    const radians = (2 * Math.PI * index) / SAMPLE_RATE;
    return index % step < tone ? pairOf(symbol).reduce((sum, hertz) => sum + 0.2 * Math.sin(hertz * radians), 0) : 0;
  });
}

/**
 * Says which number a recording spells.
 *
 * @param samples from -1 to 1, at 8,000 a second
 * @param expected the number that should be heard, as it was given to {@link playtones}; null is never ok
 */
export function recognise(samples: Float64Array, expected: string | null): AudioReport {
  const heard = completeNumbers(symbolsOf(samples));
  const counts = new Map<string, number>();
  heard.forEach((number) => counts.set(number, (counts.get(number) ?? 0) + 1));
  const ranked = [...counts].sort((a, b) => b[1] - a[1]);
  const wanted = expected === null ? "" : digitsOf(expected);
  const rounds = counts.get(wanted) ?? 0;
  const rivals = ranked.filter(([number]) => number !== wanted).map(([, count]) => count);
  const best = ranked[0]?.[0];
  const ok = rounds > Math.max(0, ...rivals);
  return {
    expected,
    detected: ok ? expected : best === undefined ? null : `+${best}`,
    ok,
    rounds,
    seconds: expected === null ? 0 : rounded(rounds * roundSeconds(expected)),
    recordedSeconds: rounded(samples.length / SAMPLE_RATE),
    levelDbfs: rounded(10 * Math.log10(meanSquare(samples))),
    dominantHz: dominantFrequencies(samples),
  };
}

/** Power of one frequency in `samples[from, from + WINDOW)` (Goertzel's algorithm), as mean square. */
function goertzel(samples: Float64Array, from: number, hertz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * hertz) / SAMPLE_RATE);
  let last = 0;
  let beforeLast = 0;
  for (let index = from; index < from + WINDOW; index += 1) {
    const current = (samples[index] ?? 0) + coefficient * last - beforeLast;
    beforeLast = last;
    last = current;
  }
  return (2 * (last * last + beforeLast * beforeLast - coefficient * last * beforeLast)) / (WINDOW * WINDOW);
}

interface Run {
  readonly symbol: string;
  windows: number;
}

/** What each window holds, run-length encoded: a symbol, or "" for a gap and anything unknown. */
function symbolsOf(samples: Float64Array): Run[] {
  const runs: Run[] = [];
  for (let from = 0; from + WINDOW <= samples.length; from += HOP) {
    const symbol = symbolAt(samples, from);
    const run = runs.at(-1);
    if (run?.symbol === symbol) {
      run.windows += 1;
    } else {
      runs.push({ symbol, windows: 1 });
    }
  }
  return runs;
}

function symbolAt(samples: Float64Array, from: number): string {
  const total = meanSquare(samples.subarray(from, from + WINDOW));
  if (total < SILENCE) {
    return "";
  }
  const powers = FREQUENCIES.map((hertz) => ({ hertz, share: goertzel(samples, from, hertz) / total })).sort((a, b) => b.share - a.share);
  const [first, second] = powers;
  if (first === undefined || second === undefined || second.share < 0.2 || first.share + second.share < 0.75) {
    return "";
  }
  const low = Math.min(first.hertz, second.hertz);
  const high = Math.max(first.hertz, second.hertz);
  return Object.keys(PAIRS).find((symbol) => PAIRS[symbol]?.[0] === low && PAIRS[symbol][1] === high) ?? "";
}

/** The digits between a KP and the next ST; one stray window is not a tone, a long gap breaks the number off. */
function completeNumbers(runs: readonly Run[]): string[] {
  const numbers: string[] = [];
  let digits: string | null = null;
  for (const { symbol, windows } of runs) {
    if (symbol === "") {
      digits = (windows * HOP * 1_000) / SAMPLE_RATE > LONGEST_GAP_MS ? null : digits;
    } else if (windows >= 2 && symbol === "K") {
      digits = "";
    } else if (windows >= 2 && symbol === "S") {
      numbers.push(...(digits === null || digits === "" ? [] : [digits]));
      digits = null;
    } else if (windows >= 2 && digits !== null) {
      digits += symbol;
    }
  }
  return numbers;
}

/** Up to six frequencies of a 50 Hz grid that hold a twentieth of the power or more. */
function dominantFrequencies(samples: Float64Array): number[] {
  const total = meanSquare(samples);
  const windows = Math.floor(samples.length / WINDOW);
  if (total < SILENCE || windows === 0) {
    return [];
  }
  const grid = Array.from({ length: 76 }, (_, index) => 150 + index * 50);
  const power = (hertz: number) => {
    let sum = 0;
    for (let window = 0; window < windows; window += 1) {
      sum += goertzel(samples, window * WINDOW, hertz);
    }
    return sum / windows / total;
  };
  return grid
    .map((hertz) => ({ hertz, share: power(hertz) }))
    .filter(({ share }) => share >= 0.05)
    .sort((a, b) => b.share - a.share)
    .slice(0, 6)
    .map(({ hertz }) => hertz);
}

function spelling(number: string): string[] {
  return ["K", ...Array.from(digitsOf(number)), "S"];
}

function digitsOf(number: string): string {
  const digits = number.replace(/^\+/, "");
  if (!/^\d{1,15}$/.test(digits)) {
    throw new RangeError(`${JSON.stringify(number)} must be 1 to 15 digits, with or without "+"`);
  }
  return digits;
}

function pairOf(symbol: string): readonly [number, number] {
  const pair = PAIRS[symbol];
  if (pair === undefined) {
    throw new RangeError(`no tone pair for ${symbol}`);
  }
  return pair;
}

function meanSquare(samples: Float64Array): number {
  return samples.length === 0 ? 0 : samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
}

function rounded(value: number): number {
  return Number.isFinite(value) ? Math.round(value * 100) / 100 : value;
}
