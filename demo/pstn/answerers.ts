import { setTimeout as sleep } from "node:timers/promises";

import { CALLER_LEG } from "./configuration.ts";
import type { Leg, Legs } from "./legs.ts";
import type { WireMessage } from "./sip-message.ts";
import { recognise } from "./tones.ts";

export interface Candidate {
  readonly leg: Leg;
  /** What the leg received. */
  readonly samples: Float64Array;
}

interface Order {
  readonly from: string;
  readonly to: string;
  readonly startedAt: number;
}

/** How long after the caller hung up the product may take to hang up the answering party. */
const RELEASE_MS = 3_000;

/**
 * Finds the telephone at the other end of a call. The product stands between the two with a dialog of its own on
 * either side, so only what was heard tells for sure; what From shows is the second best.
 */
export class Answerers {
  readonly #legs: Legs;
  readonly #messages: () => Promise<readonly WireMessage[]>;
  readonly #recordingOf: (leg: Leg) => Promise<Float64Array>;
  /** Legs that were found to belong to a call. */
  readonly #claimed = new Set<string>();

  constructor(from: { legs: Legs; messages: () => Promise<readonly WireMessage[]>; recordingOf: (leg: Leg) => Promise<Float64Array> }) {
    this.#legs = from.legs;
    this.#messages = from.messages;
    this.#recordingOf = from.recordingOf;
  }

  /** Answering legs that talk now, began at `startedAt` or later, and were not found to belong to another call. */
  talking(startedAt: number): Leg[] {
    return this.#unclaimed(startedAt).filter(({ cause }) => cause === null);
  }

  /** For a call that is over: waits until a leg that ended turns out to have heard this caller; else judges by what is there. */
  async find(order: Order): Promise<Candidate | undefined> {
    const deadline = performance.now() + RELEASE_MS;
    const heard = new Map<string, Float64Array>();
    for (;;) {
      const legs = this.#unclaimed(order.startedAt);
      const last = performance.now() > deadline || (legs.length > 0 && legs.every(({ cause }) => cause !== null));
      const ready = await this.#recordings(legs.filter(({ cause }) => last || cause !== null), heard);
      const found = last ? await this.choose(order, ready) : ready.find(({ samples }) => recognise(samples, order.from).ok);
      if (found !== undefined) {
        this.#claimed.add(found.leg.id);
      }
      if (found !== undefined || last) {
        return found;
      }
      await sleep(50);
    }
  }

  /** The leg that heard the caller's number; else the one whose From shows the caller or the number dialled, if it is the only one. */
  async choose(order: Pick<Order, "from" | "to">, candidates: readonly Candidate[]): Promise<Candidate | undefined> {
    const heard = candidates.find(({ samples }) => recognise(samples, order.from).ok);
    if (heard !== undefined) {
      return heard;
    }
    const messages = await this.#messages();
    const showing = candidates.filter(({ leg }) => {
      const from = messages.find((message) => message.callId === leg.callId)?.header("From")[0] ?? "";
      return from.includes(`sip:${order.from}@`) || from.includes(`sip:${order.to}@`);
    });
    return showing.length === 1 ? showing[0] : undefined;
  }

  async #recordings(legs: readonly Leg[], known: Map<string, Float64Array>): Promise<Candidate[]> {
    const candidates: Candidate[] = [];
    for (const leg of legs) {
      const samples = known.get(leg.id) ?? (await this.#recordingOf(leg));
      known.set(leg.id, samples);
      candidates.push({ leg, samples });
    }
    return candidates;
  }

  #unclaimed(startedAt: number): Leg[] {
    return this.#legs
      .all()
      .filter((leg) => !leg.id.startsWith(CALLER_LEG) && (leg.talkingSince ?? -1) >= startedAt && !this.#claimed.has(leg.id));
  }
}
