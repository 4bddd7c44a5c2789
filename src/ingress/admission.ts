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

/**
 * Bounds what this process has under way, whatever a request would wait for: beyond the limit the answer is a quick 503 and the
 * page keeps its own number. What is accepted is answered within the time that the limit takes at the pace of the moment.
 */
export class Admission {
  readonly #most: number;
  readonly #counts: AdmissionCounts;
  #underWay = 0;

  constructor(most: number, counts: AdmissionCounts) {
    this.#most = most;
    this.#counts = counts;
  }

  /**
   * Stands before everything that costs: what will be refused is not parsed, looked up or waited for. Reads and streams have
   * limits of their own.
   * @param mayRead whether pages of an origin may read the refusal
   */
  refuseEarly(mayRead: (origin: string) => boolean): RequestHandler {
    return (request, response, next) => {
      if (this.#underWay < this.#most || request.method !== "POST" || !request.url.startsWith("/v1/")) {
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
  readonly admit: RequestHandler = (request, response, next) => {
    if (request.path === "/stream") {
      next();
    } else if (this.#underWay >= this.#most) {
      this.#counts.refused.inc({ reason: "capacity" });
      sendProblem(response, full);
    } else {
      this.#enter(response);
      next();
    }
  };

  #enter(response: Response): void {
    this.#underWay += 1;
    this.#counts.underWay.set(this.#underWay);
    response.once("close", () => {
      this.#underWay -= 1;
      this.#counts.underWay.set(this.#underWay);
    });
  }
}
