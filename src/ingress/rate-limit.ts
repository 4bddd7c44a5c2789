import { isIPv6 } from "node:net";
import type { RequestHandler } from "express";
import type { Counter } from "prom-client";
import type { Clock } from "../domain/ports.ts";
import { HttpProblem, sendProblem } from "./problem.ts";

interface Bucket {
  tokens: number;
  at: number;
}

export interface RateLimit {
  /** Requests a second that one address may go on with; 0 switches the limit off. */
  readonly perSecond: number;
  /** Requests it may send at once after a rest. */
  readonly burst: number;
}

/** About 8 MB at most, whoever attacks. */
const maxAddresses = 50_000;

/** A token bucket for each client address, in this process only: it stops a flood, it is no quota. */
export class RateLimiter {
  readonly #limit: RateLimit;
  readonly #clock: Clock;
  /** Oldest first: a Map keeps the order of insertion. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(limit: RateLimit, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** Seconds to wait, 0 when the request may pass. */
  take(address: string): number {
    const { perSecond, burst } = this.#limit;
    if (perSecond === 0) return 0;
    const key = networkOf(address);
    const now = this.#clock.now().getTime();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now };
    bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * perSecond);
    bucket.at = now;
    this.#remember(key, bucket);
    if (bucket.tokens < 1) return (1 - bucket.tokens) / perSecond;
    bucket.tokens -= 1;
    return 0;
  }

  /** What a request that passed was worth besides itself: those that follow wait for it. */
  charge(address: string, requests: number): void {
    const bucket = this.#buckets.get(networkOf(address));
    if (bucket !== undefined) bucket.tokens -= requests;
  }

  #remember(key: string, bucket: Bucket): void {
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size <= maxAddresses) return;
    const oldest = this.#buckets.keys().next();
    if (oldest.done !== true) this.#buckets.delete(oldest.value);
  }
}

/** Answers 429 with `Retry-After` to an address that asked too often, and counts it as `rate`. */
export function rateLimited(limiter: RateLimiter, refused: Counter<"reason">): RequestHandler {
  return (request, response, next) => {
    const waitSeconds = limiter.take(request.ip ?? "");
    if (waitSeconds === 0) {
      next();
      return;
    }
    refused.inc({ reason: "rate" });
    sendProblem(response, tooMany(waitSeconds));
  };
}

export function tooMany(waitSeconds: number): HttpProblem {
  return new HttpProblem(429, "Too many requests", { retryAfterSeconds: Math.ceil(waitSeconds) });
}

/** One IPv6 customer has at least a /64 (RFC 6177): a limit for each address would be none. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith("::ffff:")) return address;
  const [head = "", tail = ""] = address.split("::");
  const [first, last] = [groupsOf(head), groupsOf(tail)];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => "0");
  return [...first, ...zeros, ...last].slice(0, 4).join(":");
}

const groupsOf = (text: string): readonly string[] => (text === "" ? [] : text.split(":"));
