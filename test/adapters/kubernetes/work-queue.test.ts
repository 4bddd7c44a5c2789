import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";

import { WorkQueue, type WorkQueueOptions } from "../../../src/adapters/kubernetes/work-queue.ts";
import { eventually } from "../../harness/process.ts";
import { listeningLogger, silent } from "./world.ts";

/** A queue whose work ends when it is told to; `running` are the keys that are worked on. */
function aQueue(options: Partial<WorkQueueOptions> = {}) {
  const begun: string[] = [];
  const running = new Map<string, () => void>();
  const handle = (key: string) => {
    begun.push(key);
    if (running.has(key)) throw new Error(`${key} is worked on twice at once`);
    return new Promise<undefined>((resolve) => {
      running.set(key, () => {
        running.delete(key);
        resolve(undefined);
      });
    });
  };
  const queue = new WorkQueue({ name: "test", logger: silent, handle, ...options });
  const end = async (key: string) => {
    running.get(key)?.();
    await turn();
  };
  return { queue, begun, running, end };
}

test("a key that waits is queued once, however often it is added", async () => {
  const { queue, begun, end } = aQueue();
  for (const key of ["a", "b", "b", "b", "c", "b"]) queue.add(key);
  for (const key of ["a", "b", "c"]) await end(key);
  expect(begun).toEqual(["a", "b", "c"]);
  expect(queue.idle).toBe(true);
});

test("a key added during its own work is worked on once more, after it and never beside it", async () => {
  const { queue, begun, end } = aQueue({ workers: 4 });
  queue.add("a");
  for (let times = 0; times < 3; times += 1) queue.add("a");
  expect(begun).toEqual(["a"]);
  await end("a");
  expect(begun).toEqual(["a", "a"]);
  await end("a");
  expect(queue.idle).toBe(true);
});

test("as many keys are worked on at once as there are workers", async () => {
  const { queue, running, end } = aQueue({ workers: 2 });
  for (const key of ["a", "b", "c"]) queue.add(key);
  expect([...running.keys()]).toEqual(["a", "b"]);
  expect(queue.depth).toBe(1);
  await end("a");
  expect([...running.keys()]).toEqual(["b", "c"]);
  await end("b");
  await end("c");
});

test("a key that fails waits longer each time, at once again when it is added, and anew after a success", async () => {
  const waits: number[] = [];
  let [calls, fails] = [0, true];
  const logger = listeningLogger();
  const handle = () => {
    calls += 1;
    return fails ? Promise.reject(new Error("not yet")) : Promise.resolve(undefined);
  };
  const { queue } = aQueue({ logger, handle, backoff: { firstMs: 60_000, longestMs: 200_000 }, random: () => 1 });
  for (let times = 1; times <= 4; times += 1) {
    queue.add("a");
    await eventually("the failure", () => logger.said.length === times);
  }
  waits.push(...logger.said.map(({ fields }) => (fields as { retryMilliseconds: number }).retryMilliseconds));
  expect(waits).toEqual([60_000, 120_000, 200_000, 200_000]);
  fails = false;
  queue.add("a");
  await eventually("success", () => queue.idle);
  expect(calls).toBe(5);
  fails = true;
  queue.add("a");
  await eventually("the next failure", () => logger.said.length === 5);
  expect(logger.said.at(-1)?.fields).toMatchObject({ failures: 1, retryMilliseconds: 60_000 });
  await queue.stop();
});

test("of two dates the earlier one counts", async () => {
  const { queue, begun, end } = aQueue();
  queue.addAfter("a", 600_000);
  queue.addAfter("a", 1);
  queue.addAfter("a", 600_000);
  await eventually("its work", () => begun.length === 1);
  await end("a");
  expect(queue.idle).toBe(true);
});

test("stopping takes nothing new, tells running work and waits for it", async () => {
  let [told, ended] = [false, false];
  const handle = (_key: string, signal: AbortSignal) =>
    new Promise<undefined>((resolve) => {
      signal.addEventListener("abort", () => {
        told = true;
        setTimeout(() => {
          ended = true;
          resolve(undefined);
        }, 5);
      });
    });
  const { queue } = aQueue({ handle });
  for (const key of ["a", "b"]) queue.add(key);
  queue.addAfter("c", 600_000);
  await queue.stop();
  queue.add("d");
  expect({ told, ended, idle: queue.idle }).toEqual({ told: true, ended: true, idle: true });
});
