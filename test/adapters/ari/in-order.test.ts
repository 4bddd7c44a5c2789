import { expect, test } from "vitest";

import { InOrder } from "../../../src/adapters/ari/in-order.ts";

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Requests that are answered when the test wants. */
function requests() {
  const order = new InOrder();
  const sent: string[] = [];
  const answers = new Map<string, PromiseWithResolvers<undefined>>();
  const ask = (name: string, ...objects: readonly string[]) => {
    const answer = Promise.withResolvers<undefined>();
    answers.set(name, answer);
    return order.run(objects, () => {
      sent.push(name);
      return answer.promise;
    });
  };
  return { sent, ask, answer: (name: string) => answers.get(name)?.resolve(undefined), fail: (name: string) => answers.get(name)?.reject(new Error(name)) };
}

test("of three requests about one channel each waits for the one before, also when that one is asked for after the first was answered", async () => {
  const { sent, ask, answer } = requests();
  void ask("first", "channel");
  void ask("second", "channel");
  answer("first");
  await settled();
  void ask("third", "channel");
  await settled();
  expect(sent).toEqual(["first", "second"]);
  answer("second");
  await settled();
  expect(sent).toEqual(["first", "second", "third"]);
});

test("a request that fails lets the next one about the same channel go, and others wait for neither", async () => {
  const { sent, ask, fail } = requests();
  const first = ask("first", "bridge", "channel");
  void ask("second", "channel");
  void ask("elsewhere", "other");
  expect(sent).toEqual(["first", "elsewhere"]);
  fail("first");
  await expect(first).rejects.toThrow("first");
  await settled();
  expect(sent).toEqual(["first", "elsewhere", "second"]);
});
