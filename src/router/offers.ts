import type { AriChannel } from "../adapters/ari/events.ts";
import type { Origin } from "../domain/call/states.ts";
import type { CallContext } from "../domain/types.ts";

/** Who is calling was asked; the answer is on its way. */
export interface Asked {
  readonly origin: Origin;
  readonly context: Promise<CallContext>;
}

/** More than can be offered within the time that an offer stands. One that was neither taken nor refused gives its place to a later one. */
const MAX_OFFERS = 1_000;

/** Calls that are offered and not ours yet: who is calling is asked while the claim is on its way, and not after it. */
export class Offers {
  readonly #ask: (channel: AriChannel, args: readonly string[]) => Asked | undefined;
  readonly #asked = new Map<string, Asked>();

  /** @param ask answers undefined for a call of which nothing can be asked yet */
  constructor(ask: (channel: AriChannel, args: readonly string[]) => Asked | undefined) {
    this.#ask = ask;
  }

  add(channel: AriChannel, args: readonly string[]): void {
    const asked = this.#ask(channel, args);
    if (asked === undefined) return;
    const [oldest] = this.#asked.keys();
    if (oldest !== undefined && this.#asked.size >= MAX_OFFERS) this.#asked.delete(oldest);
    this.#asked.set(channel.id, asked);
  }

  /** The call is ours, or never will be. */
  take(channel: string): Asked | undefined {
    const asked = this.#asked.get(channel);
    this.#asked.delete(channel);
    return asked;
  }
}
