import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startRetention } from "../../src/ingress/retention.ts";
import { silent } from "../harness/logger.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const HOUR = 3_600_000;

describe("what is too old", () => {
  it("is deleted soon after the start and once an hour, though deleting failed before, until it is stopped", async () => {
    const purge = vi.fn(() => Promise.resolve({ calls: 1 })).mockRejectedValueOnce(new Error("the database is away"));
    const stop = startRetention(purge, silent);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(purge).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(2 * HOUR);
    expect(purge).toHaveBeenCalledTimes(3);
    await stop();
    await vi.advanceTimersByTimeAsync(2 * HOUR);
    expect(purge).toHaveBeenCalledTimes(3);
  });

  it("is deleted by one at a time, and stopping waits for that one", async () => {
    let end = (): void => undefined;
    const purge = vi.fn(() => new Promise<Record<string, number>>((resolve) => (end = () => resolve({}))));
    const stop = startRetention(purge, silent);
    await vi.advanceTimersByTimeAsync(1.5 * HOUR);
    expect(purge).toHaveBeenCalledTimes(1);
    let stopped = false;
    const stopping = stop().then(() => (stopped = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(stopped).toBe(false);
    end();
    await stopping;
  });
});
