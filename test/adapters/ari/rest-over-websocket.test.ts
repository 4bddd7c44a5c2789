import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { RestOverWebSocket } from "../../../src/adapters/ari/rest-over-websocket.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const TIMEOUT_MS = 2_000;

function asked() {
  const rest = new RestOverWebSocket(TIMEOUT_MS);
  const outcome = rest.request({ method: "GET", path: "/channels" }, () => undefined).then(
    () => "answered",
    (error: unknown) => (error as Error).message,
  );
  return { rest, outcome, answer: () => rest.settle({ request_id: "1", status_code: 200, message_body: "[]" }) };
}

/** The whole process stands still until long after the time-out. */
async function standStill(): Promise<void> {
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS - 1);
  const now = performance.now();
  vi.spyOn(performance, "now").mockReturnValue(now + 10_000);
  await vi.advanceTimersByTimeAsync(1);
}

test("a request without an answer is given up after its time", async () => {
  const { outcome } = asked();
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
  expect(await outcome).toBe("ARI did not answer GET /channels within 2000 ms");
});

test("after the whole process stood still an answer that waits on the socket is read first", async () => {
  const { outcome, answer } = asked();
  await standStill();
  answer();
  expect(await outcome).toBe("answered");
});

test("after the whole process stood still a request that nobody answers is given up a second later", async () => {
  const { rest, outcome } = asked();
  await standStill();
  await vi.advanceTimersByTimeAsync(999);
  expect(rest.behindMs).toBeGreaterThan(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(await outcome).toContain("did not answer");
});
