import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { playtones, recognise, roundSeconds, SAMPLE_RATE, synthesize } from "../../demo/pstn/tones.ts";

const CALLER = "+15551230001";
const OTHER = "+12025550110";

function tone(seconds: number, ...hertz: number[]): Float64Array {
  return Float64Array.from({ length: seconds * SAMPLE_RATE }, (_, index) =>
    hertz.reduce((sum, frequency) => sum + 0.2 * Math.sin((2 * Math.PI * frequency * index) / SAMPLE_RATE), 0),
  );
}

function noise(seconds: number, amplitude: number): Float64Array {
  let state = 12_345;
  return Float64Array.from({ length: seconds * SAMPLE_RATE }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return (state / 1_073_741_824 - 1) * amplitude;
  });
}

function sum(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((sample, index) => sample + (b[index] ?? 0));
}

function joined(...parts: Float64Array[]): Float64Array {
  return Float64Array.from(parts.flatMap((part) => [...part]));
}

/** G.711 mu-law keeps about 38 dB between signal and distortion: 8 bits of amplitude are a coarser stand-in. */
function coarse(samples: Float64Array): Float64Array {
  return samples.map((sample) => Math.round(sample * 128) / 128);
}

describe("a number that is said in tones", () => {
  test("is recognised, whatever the number", () => {
    const numbers = fc.stringMatching(/^\+[1-9][0-9]{6,14}$/);
    fc.assert(
      fc.property(numbers, fc.integer({ min: 0, max: 8_000 }), (number, offset) => {
        const heard = recognise(synthesize(number, 3 * roundSeconds(number)).subarray(offset), number);
        expect(heard).toMatchObject({ expected: number, detected: number, ok: true });
      }),
      { numRuns: 25 },
    );
  });

  test("is what Asterisk is told to play", () => {
    expect(playtones("+12")).toBe("1100+1700/50|0/30|700+900/50|0/30|700+1100/50|0/30|1500+1700/50|0/30");
  });

  test("is reported with its seconds, loudness and frequencies", () => {
    const report = recognise(synthesize(CALLER, 5), CALLER);
    expect(report).toMatchObject({ rounds: 4, seconds: 4.16, recordedSeconds: 5 });
    expect(report.levelDbfs).toBeCloseTo(-16, 0);
    expect(new Set(report.dominantHz)).toEqual(new Set([700, 900, 1_100, 1_300, 1_500, 1_700]));
  });

  test.each([
    ["after a coarse quantisation", coarse(synthesize(CALLER, 3))],
    ["20 dB quieter", synthesize(CALLER, 3).map((sample) => sample / 10)],
    ["under light noise", sum(synthesize(CALLER, 3), noise(3, 0.05))],
    ["between two silences", joined(noise(1, 0), synthesize(CALLER, 1.2), noise(1, 0))],
    ["after a pause in the middle of one repetition", joined(synthesize(CALLER, 0.5), noise(0.5, 0), synthesize(CALLER, 2))],
  ])("is recognised %s", (_, samples) => {
    expect(recognise(samples, CALLER)).toMatchObject({ detected: CALLER, ok: true });
  });

  test.each([
    ["nothing at all", new Float64Array(), null],
    ["silence", noise(3, 0), null],
    ["noise", noise(3, 0.5), null],
    ["a ringing tone", tone(3, 440, 480), null],
    ["one steady pair of its own frequencies", tone(3, 700, 900), null],
    ["a dialling tone of DTMF", tone(3, 697, 1_209), null],
    ["another number", synthesize(OTHER, 3), OTHER],
    ["a number that differs in one digit", synthesize("+15551230002", 3), "+15551230002"],
    ["a number that is one digit longer", synthesize(`${CALLER}0`, 3), `${CALLER}0`],
    ["less than one repetition", synthesize(CALLER, 0.9), null],
    ["two numbers at once", sum(synthesize(CALLER, 3), synthesize(OTHER, 3)), null],
    ["another number twice and itself once", joined(synthesize(OTHER, 2.2), noise(0.3, 0), synthesize(CALLER, 1.1)), OTHER],
  ])("is not taken for heard in %s", (_, samples, detected) => {
    expect(recognise(samples, CALLER)).toMatchObject({ expected: CALLER, detected, ok: false });
  });

  test("is reported, and not ok, when nobody is expected", () => {
    expect(recognise(synthesize(OTHER, 3), null)).toMatchObject({ expected: null, detected: OTHER, ok: false, seconds: 0 });
  });

  test.each(["", "+", "+1a", "1".repeat(16), "+1\n2"])("must be digits: %j", (number) => {
    expect(() => playtones(number)).toThrow(RangeError);
  });
});
