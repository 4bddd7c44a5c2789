import { expect, test } from "vitest";

import type { AriLane } from "../../src/adapters/ari/client.ts";
import { createCallLanes, type CallLanes } from "../../src/router/call-lanes.ts";

function lanes(behindMs: readonly number[]): { readonly lanes: readonly AriLane[]; readonly asked: string[][] } {
  const asked: string[][] = behindMs.map(() => []);
  const request = (index: number): AriLane["request"] => (_, path) => {
    asked[index]?.push(path);
    return Promise.resolve({});
  };
  return { lanes: behindMs.map((ms, index) => ({ behindMs: ms, request: request(index) })), asked };
}

/** As Asterisk names them: the second, and a count. */
const CHANNELS = Array.from({ length: 800 }, (_, index) => `1764432${String(100 + (index >> 3))}.${index}`);

test("all that one call asks for goes over one lane, and calls are spread evenly over all of them", async () => {
  const { lanes: eight, asked } = lanes(Array.from({ length: 8 }, () => 0));
  const spread = createCallLanes(eight, "dialplane");
  for (const channel of CHANNELS) {
    await spread.of(channel).answer(channel);
    await spread.of(channel).ring(channel);
  }
  const channelsOf = asked.map((paths) => new Set(paths.map((path) => path.split("/")[2])));
  expect(channelsOf.reduce((sum, { size }) => sum + size, 0)).toBe(CHANNELS.length);
  for (const { size } of channelsOf) expect(size).toBeGreaterThan(CHANNELS.length / 8 / 2);
  for (const { size } of channelsOf) expect(size).toBeLessThan((CHANNELS.length / 8) * 2);
});

test("only calls that would go over a lane that is behind are left to others", () => {
  const behind = createCallLanes(lanes([1_000, 1_000]).lanes, "dialplane");
  const half = createCallLanes(lanes([1_000, 999]).lanes, "dialplane");
  const none = createCallLanes(lanes([0, 999]).lanes, "dialplane");
  const taken = (spread: CallLanes) => CHANNELS.filter((channel) => spread.keepsUp(channel)).length;
  expect([taken(behind), taken(none)]).toEqual([0, CHANNELS.length]);
  expect(taken(half)).toBeGreaterThan(CHANNELS.length / 4);
  expect(taken(half)).toBeLessThan((CHANNELS.length * 3) / 4);
});
