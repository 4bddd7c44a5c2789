import { setTimeout as sleep } from "node:timers/promises";

import type { Telephony } from "../adapters/ari/telephony.ts";
import { fallbackContext } from "../domain/asterisk-names.ts";
import type { Origin } from "../domain/call/states.ts";
import { messageOf } from "../domain/errors.ts";
import type { Logger } from "../domain/ports.ts";

/** What an Asterisk that is not answering is waited for at the end. */
const ANSWERS_MS = 1_000;
/** From the answer of a claim until its caller has entered the application and was given away. */
const ENTERS_MS = 200;

/** Calls that Asterisk was asked for: one that becomes ours when the router is ending is the default destination's at once, as it would be without a router. */
export class Claims {
  readonly #telephony: Pick<Telephony, "continueAt">;
  readonly #logger: Logger;
  readonly #open = new Set<Promise<unknown>>();
  #last = -Infinity;

  constructor(telephony: Pick<Telephony, "continueAt">, logger: Logger) {
    this.#telephony = telephony;
    this.#logger = logger;
  }

  add(claim: Promise<void>): void {
    const answered = claim.finally(() => {
      this.#last = performance.now();
    });
    this.#wait(answered);
  }

  /** To the pool's default destination: the dialplan records the call. */
  give(channel: string, { pool, did }: Pick<Origin, "pool" | "did">): void {
    const given = this.#telephony.continueAt(channel, { context: fallbackContext(pool), extension: did.slice(1) });
    this.#wait(given.catch((error: unknown) => this.#logger.debug({ channel, error: messageOf(error) }, "a caller who came at the end was not given to the default destination")));
  }

  /** Before the sockets close. */
  async answered(): Promise<void> {
    const deadline = performance.now() + ANSWERS_MS;
    const isBusy = () => this.#open.size > 0 || performance.now() < this.#last + ENTERS_MS;
    while (isBusy() && performance.now() < deadline) await sleep(10);
  }

  #wait(work: Promise<unknown>): void {
    this.#open.add(work);
    void work.finally(() => this.#open.delete(work));
  }
}
