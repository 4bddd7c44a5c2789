import { setImmediate as turn, setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";

import { WorkQueue, type WorkQueueOptions } from "../../../src/adapters/kubernetes/work-queue.ts";
import { eventually } from "../../harness/process.ts";
import { listeningLogger, silent } from "../../harness/logger.ts";


/** A queue whose work ends when it is told to; `running` are the keys that are worked on, `waiting()` is what its metrics said last. */
function aQueue(options: Partial<WorkQueueOptions> = {}) {
  const begun: string[] = [];
  const running = new Map<string, () => void>();
  let waiting = 0;
  const metrics = { depth: (keys: number) => void (waiting = keys), waited: () => undefined, handled: () => undefined, retried: () => undefined };
  const handle = (key: string) => {
    begun.push(key);
    if (running.has(key)) throw new Error(`${key} is worked on twice at once`);
    return new Promise<void>((resolve) => {
      running.set(key, () => {
        running.delete(key);
        resolve();
      });
    });
  };
  const queue = new WorkQueue({ name: "test", logger: silent, handle, metrics, ...options });
  const end = async (key: string) => {
    running.get(key)?.();
    await turn();
  };
  return { queue, begun, running, end, waiting: () => waiting };
}

test("a key that waits is queued once, however often it is added", async () => {
  const { queue, begun, running, end, waiting } = aQueue();
  for (const key of ["a", "b", "b", "b", "c", "b"]) queue.add(key);
  for (const key of ["a", "b", "c"]) await end(key);
  expect(begun).toEqual(["a", "b", "c"]);
  expect([running.size, waiting()]).toEqual([0, 0]);
});

test("a key added during its own work is worked on once more, after it and never beside it", async () => {
  const { queue, begun, running, end, waiting } = aQueue({ workers: 4 });
  queue.add("a");
  for (let times = 0; times < 3; times += 1) queue.add("a");
  expect(begun).toEqual(["a"]);
  await end("a");
  expect(begun).toEqual(["a", "a"]);
  await end("a");
  expect([running.size, waiting()]).toEqual([0, 0]);
});

test("as many keys are worked on at once as there are workers", async () => {
  const { queue, running, end, waiting } = aQueue({ workers: 2 });
  for (const key of ["a", "b", "c"]) queue.add(key);
  expect([...running.keys()]).toEqual(["a", "b"]);
  expect(waiting()).toBe(1);
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
    return fails ? Promise.reject(new Error("not yet")) : Promise.resolve();
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
  await eventually("the next try", () => calls === 5);
  await turn();
  fails = true;
  queue.add("a");
  await eventually("the next failure", () => logger.said.length === 5);
  expect(logger.said.at(-1)?.fields).toMatchObject({ failures: 1, retryMilliseconds: 60_000 });
  await queue.stop();
});

test("of two dates the earlier one counts", async () => {
  const { queue, begun, running, end, waiting } = aQueue();
  queue.addAfter("a", 600_000);
  queue.addAfter("a", 1);
  queue.addAfter("a", 600_000);
  await eventually("its work", () => begun.length === 1);
  await end("a");
  expect([running.size, waiting(), begun]).toEqual([0, 0, ["a"]]);
});

test("stopping takes nothing new and waits for the work that runs", async () => {
  const { queue, begun, running, end } = aQueue();
  for (const key of ["a", "b"]) queue.add(key);
  queue.addAfter("c", 1);
  let isStopped = false;
  const stopped = queue.stop().then(() => {
    isStopped = true;
  });
  queue.add("d");
  await pause(20);
  expect([isStopped, [...running.keys()]]).toEqual([false, ["a"]]);
  await end("a");
  await stopped;
  expect(begun).toEqual(["a"]);
});
