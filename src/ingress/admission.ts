import type { RequestHandler } from "express";
import type { Counter, Gauge } from "prom-client";
import { HttpProblem, sendProblem } from "./problem.ts";

export interface AdmissionCounts {
  readonly underWay: Gauge;
  readonly refused: Counter<"reason">;
}

const retryAfterSeconds = 5;

/**
 * Bounds what this process has under way, whatever a request would wait for: beyond the limit the answer is a quick 503 and the
 * page keeps its own number. Stands after the body parser: a client that sends slowly must not take up room.
 * Streams are bounded by their own limits.
 */
export function admitted(most: number, counts: AdmissionCounts): RequestHandler {
  let underWay = 0;
  return (request, response, next) => {
    if (request.path === "/stream") {
      next();
      return;
    }
    if (underWay >= most) {
      counts.refused.inc({ reason: "capacity" });
      sendProblem(response, new HttpProblem(503, "Try again later", { detail: "the service is at its capacity", retryAfterSeconds }));
      return;
    }
    underWay += 1;
    counts.underWay.set(underWay);
    response.once("close", () => {
      underWay -= 1;
      counts.underWay.set(underWay);
    });
    next();
  };
}
