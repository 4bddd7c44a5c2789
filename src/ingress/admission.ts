import { performance } from "node:perf_hooks";
import type { RequestHandler, Response } from "express";
import type { Counter, Gauge } from "prom-client";
import { problemHeaders, problemText, HttpProblem, sendProblem } from "./problem.ts";

export interface AdmissionCounts {
  readonly underWay: Gauge;
  readonly refused: Counter<"reason">;
}

const retryAfterSeconds = 5;
const full = new HttpProblem(503, "Try again later", { detail: "the service is at its capacity", retryAfterSeconds });
/** Made once: beyond capacity most answers are this one. */
const fullText = problemText(full);
const fullHeaders = { ...problemHeaders(full), Vary: "Origin", "Content-Length": String(Buffer.byteLength(fullText)) };

/** The limit is thought over after so many milliseconds, in which there is one turn of the event loop at least. */
const period = 250;
/** However quick the answers are: what is under way takes up memory. */
const mostOfLeast = 10;
/** Above what is answered now: the limit grows as long as that brings more answers. */
const growth = 1.25;

/** The highest that the limit gets, for whoever keeps a queue behind it. */
export const mostUnderWay = (least: number): number => least * mostOfLeast;

/**
 * A turn of the event loop reads the requests of all connections before it sees the next answers of the database. With many connections a
 * turn is long, and what is accepted in one is all that is answered in the next: less than could be would leave the database idle, more
 * would only wait.
 */
export function limitFor(least: number, answered: number, turns: number): number {
  return Math.max(least, Math.min(mostUnderWay(least), Math.ceil((growth * answered) / Math.max(1, turns))));
}

/**
 * Bounds what this process has under way, whatever a request would wait for: beyond the limit the answer is a quick 503 and the
 * page keeps its own number. docs/decisions/0020.
 */
export class Admission {
  readonly #least: number;
  readonly #counts: AdmissionCounts;
  #underWay = 0;
  #most: number;
  #answered = 0;
  #since = performance.now();
  #turn = turnsSoFar();

  /** @param least is always accepted */
  constructor(least: number, counts: AdmissionCounts) {
    this.#least = least;
    this.#most = least;
    this.#counts = counts;
  }

  /**
   * Stands before everything that costs: what will be refused is not parsed, looked up or waited for. Reads and streams have
   * limits of their own, and do not pass `admit`.
   * @param mayRead whether pages of an origin may read the refusal
   */
  refuseEarly(mayRead: (origin: string) => boolean): RequestHandler {
    return (request, response, next) => {
      if (!this.#isFull() || request.method !== "POST" || !request.url.startsWith("/v1/")) {
        next();
        return;
      }
      const { origin } = request.headers;
      if (origin !== undefined && mayRead(origin)) response.setHeader("Access-Control-Allow-Origin", origin).setHeader("Access-Control-Allow-Credentials", "true");
      this.#counts.refused.inc({ reason: "capacity" });
      response.writeHead(503, fullHeaders).end(fullText);
    };
  }

  /** Counts the request in until it is answered. Stands after the body's reader: a client that sends slowly must not take up room. */
  readonly admit: RequestHandler = (_request, response, next) => {
    if (this.#isFull()) {
      this.#counts.refused.inc({ reason: "capacity" });
      sendProblem(response, full);
    } else {
      this.#enter(response);
      next();
    }
  };

  #isFull(): boolean {
    if (this.#underWay < this.#least) return false;
    const now = performance.now();
    if (now - this.#since >= period) {
      const turn = turnsSoFar();
      this.#most = limitFor(this.#least, this.#answered, turn - this.#turn);
      this.#answered = 0;
      this.#since = now;
      this.#turn = turn;
    }
    return this.#underWay >= this.#most;
  }

  #enter(response: Response): void {
    this.#underWay += 1;
    this.#counts.underWay.set(this.#underWay);
    response.once("close", () => {
      this.#underWay -= 1;
      this.#answered += 1;
      this.#counts.underWay.set(this.#underWay);
    });
  }
}

function turnsSoFar(): number {
  return performance.nodeTiming.uvMetricsInfo.loopCount;
}
