import { Registry } from "prom-client";
import { expect, test } from "vitest";

import { InTime } from "../../src/router/in-time.ts";
import { routerMetrics } from "../../src/router/metrics.ts";
import { createTurns } from "../../src/router/turns.ts";
import { aRule } from "../domain/builders.ts";
import { silent as logger } from "../harness/logger.ts";

const rule = aRule({ strategy: "RoundRobin" });
const other = aRule({ strategy: "RoundRobin" }, { key: "default/other" });

/** @param answers of the database, one a question; an error is thrown */
function turns(...answers: readonly (number | null | Error)[]) {
  const left = [...answers];
  const nextTurn = () => {
    const answer = left.shift();
    return answer instanceof Error || answer === undefined ? Promise.reject(answer ?? new Error("asked once too often")) : Promise.resolve(answer);
  };
  return createTurns({ nextTurn }, new InTime(250, routerMetrics(new Registry())));
}

test("the database counts", async () => {
  const next = turns(4, 9, 0);
  expect([await next(rule, logger), await next(rule, logger), await next(other, logger)]).toEqual([4, 9, 0]);
});

test("without it, or when it has no such rule any more, each rule goes on from the last turn that is known", async () => {
  const away = new Error("away");
  const next = turns(away, 6, away, null, away, 11);
  expect([await next(other, logger), await next(rule, logger), await next(rule, logger), await next(rule, logger), await next(other, logger), await next(rule, logger)]).toEqual([0, 6, 7, 8, 1, 11]);
});
