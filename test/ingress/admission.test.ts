import { expect, it } from "vitest";
import { limitFor } from "../../src/ingress/admission.ts";

it.each([
  ["stays the least while little is answered in a turn", { answered: 900, turns: 300 }, 500],
  ["stays the least when nothing is answered", { answered: 0, turns: 0 }, 500],
  ["is a quarter more than what a turn answers", { answered: 2_400, turns: 3 }, 1_000],
  ["counts one turn that is not over yet", { answered: 800, turns: 0 }, 1_000],
  ["is never more than ten times the least", { answered: 90_000, turns: 1 }, 5_000],
])("the limit of requests under way %s", (_what, { answered, turns }, limit) => expect(limitFor(500, answered, turns)).toBe(limit));
