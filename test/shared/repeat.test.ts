import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { repeat, type RepeatOptions } from "../../src/shared/repeat.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Work that is over when the test says so, or that fails at once. */
function repeated(options: Partial<RepeatOptions> = {}) {
  const under: PromiseWithResolvers<undefined>[] = [];
  const failures: boolean[] = [];
  const outcomes: ("held" | "failed")[] = [];
  let begun = 0;
  const work = async () => {
    begun += 1;
    const outcome = outcomes.shift();
    if (outcome === "failed") throw new Error("not this time");
    if (outcome !== "held") return;
    const held = Promise.withResolvers<undefined>();
    under.push(held);
    await held.promise;
  };
  const running = repeat(work, { everyMs: 1_000, failed: (_, again) => void failures.push(again), ...options });
  return {
    running,
    failures,
    begun: () => begun,
    will: (...next: typeof outcomes) => void outcomes.push(...next),
    end: () => under.shift()?.resolve(undefined),
  };
}

describe("what is done again and again", () => {
  it("is done every so often, and before that when it is told so", async () => {
    const { begun } = repeated({ firstMs: 200 });
    await vi.advanceTimersByTimeAsync(199);
    expect(begun()).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(begun()).toBe(1);
    await vi.advanceTimersByTimeAsync(2_800);
    expect(begun()).toBe(4);
  });

  it("misses its turn while it is under way", async () => {
    const { begun, will, end } = repeated();
    will("held");
    await vi.advanceTimersByTimeAsync(3_500);
    expect(begun()).toBe(1);
    end();
    await vi.advanceTimersByTimeAsync(500);
    expect(begun()).toBe(2);
  });

  it("is done once more for all who ask while it is under way", async () => {
    const { running, begun, will, end } = repeated();
    will("held");
    const first = running.now();
    await vi.advanceTimersByTimeAsync(0);
    const both = Promise.all([running.now(), running.now()]);
    expect(begun()).toBe(1);
    end();
    await Promise.all([first, both]);
    expect(begun()).toBe(2);
  });

  it("goes on when it failed, and says whether it had failed before", async () => {
    const { will, failures } = repeated();
    will("failed", "failed");
    await vi.advanceTimersByTimeAsync(3_000);
    will("failed");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(failures).toEqual([false, true, false]);
  });

  it("is over when it was stopped, for which the last time is waited", async () => {
    const { running, begun, will, end } = repeated();
    will("held");
    await vi.advanceTimersByTimeAsync(1_000);
    const asked = running.now();
    let stopped = false;
    const stopping = running.stop().then(() => (stopped = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(stopped).toBe(false);
    end();
    await Promise.all([stopping, asked, running.now()]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(begun()).toBe(1);
  });
});
