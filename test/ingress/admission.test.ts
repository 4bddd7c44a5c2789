import { EventEmitter } from "node:events";
import { performance } from "node:perf_hooks";
import type { Response } from "express";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Admission, limitFor } from "../../src/ingress/admission.ts";
import { createIngressMetrics } from "../../src/ingress/metrics.ts";
import { createMetrics } from "../../src/shared/metrics.ts";

afterEach(() => vi.restoreAllMocks());

it.each([
  ["stays the least while little is answered in a turn", { answered: 900, turns: 300 }, 500],
  ["stays the least when nothing is answered", { answered: 0, turns: 0 }, 500],
  ["is a quarter more than what a turn answers", { answered: 2_400, turns: 3 }, 1_000],
  ["counts one turn that is not over yet", { answered: 800, turns: 0 }, 1_000],
  ["is never more than ten times the least", { answered: 90_000, turns: 1 }, 5_000],
])("the limit of requests under way %s", (_what, { answered, turns }, limit) => expect(limitFor(500, answered, turns)).toBe(limit));

/** A door that lets ten in at least, at a time and a turn of the event loop that stand still unless told otherwise. */
function aDoor() {
  let [now, loopCount] = [1_000, 100];
  vi.spyOn(performance.nodeTiming, "uvMetricsInfo", "get").mockImplementation(() => ({ loopCount, events: 0, eventsWaiting: 0 }));
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const admission = new Admission(10, createIngressMetrics(createMetrics()));
  const present: EventEmitter[] = [];
  const enter = (): boolean => {
    const response = Object.assign(new EventEmitter(), { status: () => response, set: () => response, send: () => response });
    const before = present.length;
    void admission.admit({} as never, response as unknown as Response, () => void present.push(response));
    return present.length > before;
  };
  const enterAll = (): number => {
    let count = 0;
    while (count < 1_000 && enter()) count += 1;
    return count;
  };
  const answerAll = () => present.splice(0).forEach((response) => response.emit("close"));
  return { enter, enterAll, answerAll, pass: (milliseconds: number) => (now += milliseconds), turn: (turns: number) => (loopCount += turns) };
}

describe("the door", () => {
  it("lets in more than the least as soon as more is answered in a turn, and thinks it over four times a second", () => {
    const { enter, enterAll, answerAll, pass } = aDoor();
    for (let i = 0; i < 4; i += 1) {
      expect(enterAll()).toBe(10);
      answerAll();
    }
    expect(enterAll()).toBe(10);
    pass(249);
    expect(enter()).toBe(false);
    pass(1);
    // 40 were answered in a turn: a quarter more may be under way.
    expect(enterAll()).toBe(40);
  });

  it("goes by the turns of the last quarter of a second, however many there were before", () => {
    const { enterAll, answerAll, pass, turn } = aDoor();
    enterAll();
    turn(1_000);
    pass(250);
    expect(enterAll()).toBe(0);
    answerAll();
    for (let i = 0; i < 7; i += 1) {
      enterAll();
      answerAll();
    }
    enterAll();
    turn(2);
    pass(250);
    // 80 were answered in two turns: a quarter more than 40 may be under way, ten of which are.
    expect(enterAll()).toBe(40);
  });

  it("goes back to the least when little is answered", () => {
    const { enter, enterAll, answerAll, pass } = aDoor();
    for (let i = 0; i < 4; i += 1) {
      enterAll();
      answerAll();
    }
    enterAll();
    pass(250);
    expect(enterAll()).toBe(40);
    pass(250);
    expect(enter()).toBe(false);
    answerAll();
    expect(enterAll()).toBe(10);
  });
});
