import type { AriChannel } from "../adapters/ari/events.ts";
import type { Prepared } from "./inbound.ts";

/** More than can be offered within the time that an offer stands. One that was neither taken nor refused gives its place to a later one. */
const MAX_OFFERS = 1_000;

/** Calls that are offered and not ours yet: where they go is decided while the claim is on its way, and not after it. */
export class Offers {
  readonly #prepare: (channel: AriChannel, args: readonly string[]) => Prepared | undefined;
  readonly #prepared = new Map<string, Prepared>();

  /** @param prepare answers undefined for what is no call of ours */
  constructor(prepare: (channel: AriChannel, args: readonly string[]) => Prepared | undefined) {
    this.#prepare = prepare;
  }

  add(channel: AriChannel, args: readonly string[]): void {
    const prepared = this.#prepare(channel, args);
    if (prepared === undefined) return;
    const [oldest] = this.#prepared.keys();
    if (oldest !== undefined && this.#prepared.size >= MAX_OFFERS) this.#prepared.delete(oldest);
    this.#prepared.set(channel.id, prepared);
  }

  /** The call is ours, or never will be. */
  take(channel: string): Prepared | undefined {
    const prepared = this.#prepared.get(channel);
    this.#prepared.delete(channel);
    return prepared;
  }
}
