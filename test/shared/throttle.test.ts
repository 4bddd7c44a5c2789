import { expect, it } from "vitest";

import { throttle } from "../../src/shared/throttle.ts";

it("what comes often is said once in a while, with how often it came", () => {
  let now = 0;
  const said: [string, number][] = [];
  const say = throttle((what: string, times) => void said.push([what, times]), 1_000, () => now);
  const at = (time: number, what: string) => {
    now = time;
    say(what);
  };
  at(0, "first");
  at(1, "second");
  at(999, "third");
  at(1_000, "fourth");
  at(1_500, "fifth");
  at(9_000, "sixth");
  expect(said).toEqual([["first", 1], ["fourth", 3], ["sixth", 2]]);
});
