import { setTimeout as sleep } from "node:timers/promises";

import { messageOf } from "../domain/errors.ts";
import { pace } from "../domain/pace.ts";
import { LimitReached, type Logger, type RouterStore, type SeatRequest, type TrunkEntry } from "../domain/ports.ts";
import type { Attempt, ResourceKey } from "../domain/types.ts";
import type { RouterMetrics } from "./metrics.ts";

export interface LimitsDeps {
  readonly store: Pick<RouterStore, "takeSeat" | "keepSeats" | "leaveSeat">;
  readonly logger: Logger;
  readonly metrics: RouterMetrics;
  /** How long a call waits for the database. */
  readonly withinMs: number;
  /** Channels of all legs that live now. */
  readonly living: () => readonly string[];
}

/** A caller who hears nothing for longer thinks the line is dead. */
const LONGEST_WAIT_MS = 2_000;
/** Well within the life time of a seat. */
const RENEW_MS = 20_000;

/** The limits of destinations (over all pods) and trunks (concurrent calls over all pods, calls a second of this pod). */
export class Limits {
  readonly #deps: LimitsDeps;
  #seated = new Set<string>();
  /** What the legs that were admitted ask for: a seat that the database lost, or could not be asked for, is taken when it is back. */
  #admitted = new Map<string, SeatRequest>();
  readonly #next = new Map<ResourceKey, number>();
  readonly #renewal: NodeJS.Timeout;

  constructor(deps: LimitsDeps) {
    this.#deps = deps;
    this.#renewal = setInterval(() => this.keepSeats(), RENEW_MS).unref();
  }

  /** Whether a limit is set. False: the leg may be dialled at once. */
  applies(attempt: Attempt, trunk: TrunkEntry | undefined): boolean {
    const { maxConcurrentCalls, maxCallsPerSecond } = trunk?.spec ?? {};
    return attempt.maxConcurrentCalls !== null || maxConcurrentCalls !== undefined || maxCallsPerSecond !== undefined;
  }

  /**
   * Resolves when the leg may be dialled. A database that does not answer in time lets the call pass: a call too many is
   * better than a call lost.
   *
   * @throws LimitReached
   */
  async admit(channel: string, attempt: Attempt, trunk: TrunkEntry | undefined): Promise<void> {
    const { maxConcurrentCalls, maxCallsPerSecond } = trunk?.spec ?? {};
    const { destination, maxConcurrentCalls: destinationLimit } = attempt;
    if (destinationLimit !== null || maxConcurrentCalls !== undefined) {
      await this.#sit({ channel, destination, destinationLimit, trunk: attempt.trunk, trunkLimit: maxConcurrentCalls ?? null });
    }
    // Last: nothing is waited for between its turn and the call, and who is refused takes up no turn.
    if (maxCallsPerSecond !== undefined) await this.#wait(channel, attempt.trunk, maxCallsPerSecond);
  }

  /** The leg is over, or is not dialled after all. */
  leave(channel: string): void {
    this.#admitted.delete(channel);
    if (this.#seated.delete(channel)) this.#giveBack(channel);
  }

  /** The calls are another router's now, and so are their seats: they are not ours to give back, nor those that are being asked for or renewed. */
  forget(): void {
    this.#seated = new Set();
    this.#admitted = new Map();
  }

  #giveBack(channel: string): void {
    this.#deps.store.leaveSeat(channel).catch((error: unknown) => {
      this.#deps.logger.warn({ channel, error: messageOf(error) }, "a seat was not given back, it expires");
    });
  }

  stop(): void {
    clearInterval(this.#renewal);
  }

  async #wait(channel: string, trunk: ResourceKey, perSecond: number): Promise<void> {
    const turn = pace(this.#next.get(trunk) ?? 0, performance.now(), perSecond, LONGEST_WAIT_MS);
    if (turn === null) {
      this.leave(channel);
      throw this.#reached("rate", `trunk ${trunk} starts ${perSecond} calls a second at most`);
    }
    this.#next.set(trunk, turn.next);
    if (turn.waitMs > 0) await sleep(turn.waitMs);
  }

  async #sit(seat: SeatRequest): Promise<void> {
    const [seated, admitted] = [this.#seated.add(seat.channel), this.#admitted];
    const answer = this.#take(seat, seated).catch((error: unknown) => messageOf(error));
    const late = sleep(this.#deps.withinMs, "the database did not answer in time", { ref: false });
    const reached = await Promise.race([answer, late]);
    if (reached !== "destination" && reached !== "trunk") {
      // Who left meanwhile, or became another router's, needs none.
      if (seated.has(seat.channel)) admitted.set(seat.channel, seat);
      if (reached === null) return;
      this.#deps.logger.warn({ channel: seat.channel, error: reached }, "limits could not be asked for, the call passes");
      return;
    }
    seated.delete(seat.channel);
    throw this.#reached(reached, `${reached === "trunk" ? `trunk ${seat.trunk}` : "the destination"} has as many calls as it may`);
  }

  async #take(seat: SeatRequest, seated: ReadonlySet<string>): ReturnType<RouterStore["takeSeat"]> {
    const reached = await this.#deps.store.takeSeat(seat);
    // Who left meanwhile has given back what was not taken yet.
    if (reached === null && !seated.has(seat.channel)) this.#giveBack(seat.channel);
    return reached;
  }

  #reached(limit: LimitReached["limit"], message: string): LimitReached {
    this.#deps.metrics.limited.inc({ limit });
    return new LimitReached(limit, message);
  }

  /** Now and then, and when calls of an earlier router were adopted: their seats are ours to give back. */
  keepSeats(): void {
    void this.#renew().catch((error: unknown) => this.#deps.logger.warn({ error: messageOf(error) }, "seats were not renewed"));
  }

  async #renew(): Promise<void> {
    const [seated, admitted] = [this.#seated, this.#admitted];
    const asked = new Set(this.#deps.living());
    const kept = new Set(await this.#deps.store.keepSeats([...asked]));
    for (const channel of kept) seated.add(channel);
    const living = new Set(this.#deps.living());
    // Who left while the database was asked has been given back nothing.
    for (const channel of seated) {
      if (!living.has(channel)) this.leave(channel);
    }
    // The call goes on, whatever the limits: it counts for those that come.
    const lost = [...admitted.values()].filter(({ channel }) => asked.has(channel) && living.has(channel) && !kept.has(channel));
    await Promise.all(lost.map((seat) => this.#take({ ...seat, destinationLimit: null, trunkLimit: null }, seated)));
  }
}
