import { describe, expect, test } from "vitest";

import { leaks, type Sample, type SoakEvidence } from "./growth.ts";

const aSample = (megabytes: number, of: Partial<Sample> = {}): Sample => {
  const usage = { megabytes, files: 30, sockets: 10, threads: 11, cpuSeconds: 1 };
  return { minute: 1, router: usage, routerLeast: megabytes, asterisk: usage, channels: 0, bridges: 0, ...of };
};
const soak = (of: Partial<SoakEvidence> = {}): SoakEvidence => ({
  before: aSample(130),
  samples: Array.from({ length: 30 }, (_, i) => aSample(150 + (i % 3) * 50)),
  after: aSample(160),
  calls: { placed: 1_000, failed: 0, why: [] },
  records: { all: 1_000, open: 0 },
  ...of,
});
const files = (count: number) => ({ megabytes: 160, files: count, sockets: 10, threads: 11, cpuSeconds: 1 });

describe("a soak", () => {
  test("whose memory only goes up and down is clean", () => expect(leaks(soak())).toEqual([]));

  test("whose memory grew in the warm-up only is clean", () => {
    expect(leaks(soak({ samples: Array.from({ length: 30 }, (_, i) => aSample(Math.min(150, 100 + i * 10))) }))).toEqual([]);
  });

  test.each([
    ["whose router grows under its ups and downs", { samples: Array.from({ length: 30 }, (_, i) => aSample(150 + (i % 3) * 50 + i * 3)) }, "the router grew from 186 to 213 MB after its warm-up"],
    ["whose router keeps files", { after: aSample(160, { router: files(60) }) }, "the router has 30 more files open than before the first call"],
    ["whose Asterisk keeps files", { after: aSample(160, { asterisk: files(60) }) }, "Asterisk has 30 more files open than before the first call"],
    ["that leaves a channel", { after: aSample(160, { channels: 1 }) }, "1 channels were left behind"],
    ["that leaves a bridge", { after: aSample(160, { bridges: 1 }) }, "1 bridges were left behind"],
    ["that leaves a record open", { records: { all: 1_000, open: 1 } }, "1 records are open"],
    ["with more records than calls", { records: { all: 1_001, open: 0 } }, "1000 calls have 1001 records"],
    ["with failed calls", { calls: { placed: 1_000, failed: 3, why: ["busy"] } }, "3 calls failed: busy"],
    ["without calls", { calls: { placed: 0, failed: 0, why: [] }, records: { all: 0, open: 0 } }, "no call was placed"],
  ] satisfies readonly (readonly [string, Partial<SoakEvidence>, string])[])("%s fails", (_, of, sentence) => {
    expect(leaks(soak(of))).toEqual([sentence]);
  });
});
