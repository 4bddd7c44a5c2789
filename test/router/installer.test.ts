import { expect, test } from "vitest";

import { createInstaller } from "../../src/router/installer.ts";
import { silent } from "../harness/logger.ts";

/** An Asterisk that refuses whatever is programmed, until it is told otherwise. */
function refusing() {
  const state = { now: 0, wanted: "new", refuses: true, running: "old", programmed: [] as number[] };
  const installer = createInstaller(
    {
      name: "dialplan",
      wanted: () => Promise.resolve({ hash: state.wanted }),
      running: () => Promise.resolve(state.running),
      program: ({ hash }) => {
        state.programmed.push(state.now / 1000);
        if (state.refuses) return Promise.reject(new Error(`${hash} is refused`));
        state.running = hash;
        return Promise.resolve();
      },
    },
    { logger: silent, clock: { now: () => new Date(state.now) } },
  );
  /** Looks every second, as far as this one. */
  const until = async (second: number) => {
    let seen = await installer.look();
    while (state.now < second * 1000) {
      state.now += 1000;
      seen = await installer.look();
    }
    return seen;
  };
  return { state, until };
}

test("what Asterisk refuses is tried again after longer and longer waits, a minute at most, and said all the while", async () => {
  const { state, until } = refusing();
  expect(await until(200)).toEqual({ running: "old", error: "new is refused" });
  expect(state.programmed).toEqual([0, 2, 6, 14, 30, 62, 122, 182]);
});

test("something else that is wanted does not wait for what was refused", async () => {
  const { state, until } = refusing();
  await until(31);
  state.wanted = "newer";
  state.refuses = false;
  expect(await until(32)).toEqual({ running: "newer", error: null });
  expect(state.programmed.at(-1)).toBe(31);
});
