import type { Counter } from "prom-client";
import type { Clock } from "../domain/ports.ts";
import type { Uuid } from "../domain/types.ts";
import { RateLimiter, type RateLimit } from "./rate-limit.ts";

/** About 5 MB at most. */
const mostRemembered = 50_000;

/**
 * How many visitors that were never here before an address may bring: each takes a number out of a pool for as long as a lease and a
 * cool-down last, and whoever throws its tokens away is new every time. The burst is for many people behind one address.
 * In this process only, as the rate limit is.
 */
export class Newcomers {
  readonly #limiter: RateLimiter;
  readonly #refused: Counter<"reason">;
  /** Let in, and can't prove it the next time. Oldest first. */
  readonly #remembered = new Set<Uuid>();

  constructor(limit: RateLimit, clock: Clock, refused: Counter<"reason">) {
    this.#limiter = new RateLimiter(limit, clock);
    this.#refused = refused;
  }

  /**
   * Seconds to wait, 0 when one more may come in.
   * @param device given when it will come again without a token of ours, as AMP pages do: it counts once
   */
  take(address: string, device?: Uuid): number {
    if (device !== undefined && this.#remembered.has(device)) return 0;
    const waitSeconds = this.#limiter.take(address);
    if (waitSeconds > 0) this.#refused.inc({ reason: "new-visitors" });
    else if (device !== undefined) this.#remember(device);
    return waitSeconds;
  }

  #remember(device: Uuid): void {
    this.#remembered.add(device);
    if (this.#remembered.size <= mostRemembered) return;
    const oldest = this.#remembered.values().next();
    if (oldest.done !== true) this.#remembered.delete(oldest.value);
  }
}
