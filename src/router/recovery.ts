import { callOfLeg } from "../domain/call/ids.ts";
import { messageOf } from "../domain/errors.ts";
import { CAUSE } from "../domain/q850.ts";
import { pause } from "../shared/backoff.ts";
import { type Found, LATER_MS, recoverMore, type RecoverDeps } from "./recover.ts";

export interface RecoveryDeps extends Omit<RecoverDeps, "up"> {
  /** Sees to the records of what was found. Waits for the database, and nobody waits for it. */
  readonly settle: (found: Found, connectedAt: Date) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Some seconds where Asterisk does not answer. Then records are settled, and legs that answer are nobody's again; whom there is still something to be asked about is looked at on. */
const LOOKS_AT_FIRST = 3;

/** From the loss of ARI until what Asterisk holds is settled: a leg that answers meanwhile may be a call's that was not found yet, and is not hung up. */
export class Recovery {
  readonly #deps: RecoveryDeps;
  readonly #up = new Set<string>();
  #underWay = true;

  constructor(deps: RecoveryDeps) {
    this.#deps = deps;
  }

  get deps(): RecoverDeps {
    return { ...this.#deps, up: this.#up };
  }

  /** ARI is away. */
  begin(): void {
    this.#underWay = true;
  }

  /** A channel of no call answered. @returns true when recovery is under way and sees to it */
  cameUp(channel: string): boolean {
    if (this.#underWay) this.#up.add(channel);
    return this.#underWay;
  }

  /** Looks again as long as somebody is not settled. @param goesOn false: ARI went away, the next recovery sees to it */
  async finish(first: Found, connectedAt: Date, goesOn: () => boolean): Promise<void> {
    let found = first;
    for (let looks = 1; found.lookAgainMs !== null && goesOn(); looks += 1) {
      if (looks >= LOOKS_AT_FIRST) {
        this.#end(found, connectedAt);
        found = { handedBack: new Map(), adopted: new Map(), lookAgainMs: LATER_MS };
      }
      await pause(found.lookAgainMs ?? LATER_MS, this.#deps.signal);
      if (goesOn()) found = both(found, await this.#look(connectedAt));
    }
    this.#end(found, connectedAt, goesOn());
  }

  async #look(connectedAt: Date): Promise<Found> {
    try {
      return await recoverMore(this.deps, connectedAt);
    } catch (error) {
      this.#deps.logger.debug({ error: messageOf(error) }, "what is left of an earlier router could not be looked at once more, trying again");
      return { handedBack: new Map(), adopted: new Map(), lookAgainMs: LATER_MS };
    }
  }

  #end(found: Found, connectedAt: Date, isSettled = true): void {
    const { calls, telephony, logger, settle } = this.#deps;
    settle(found, connectedAt).catch((error: unknown) => logger.error({ error: messageOf(error) }, "records of an earlier router could not be settled"));
    if (!isSettled) return;
    this.#underWay = false;
    const late = [...this.#up].filter((channel) => callOfLeg(channel) !== undefined && !calls.owns(channel));
    this.#up.clear();
    for (const channel of late) telephony.hangUp(channel, CAUSE.normal).catch((error: unknown) => logger.debug({ channel, error: messageOf(error) }, "a late leg went by itself"));
  }
}

function both(one: Found, other: Found): Found {
  return { handedBack: new Map([...one.handedBack, ...other.handedBack]), adopted: new Map([...one.adopted, ...other.adopted]), lookAgainMs: other.lookAgainMs };
}
