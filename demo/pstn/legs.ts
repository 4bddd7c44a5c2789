import type { AmiClient, AmiMessage } from "./ami-client.ts";

/** One telephone on one call, as far as Asterisk reported it. */
export interface Leg {
  readonly id: string;
  /** Whose telephone it is; null until it talks. */
  readonly number: string | null;
  readonly callId: string | null;
  /** `performance.now()` when it began to talk. */
  readonly talkingSince: number | null;
  readonly rtp: { readonly sent: number; readonly received: number } | null;
  /** Q.850 cause; null while the leg lives. */
  readonly cause: number | null;
}

/** Keeps what AMI events say about every leg. Legs of long ago are kept: a simulation is short-lived. */
export class Legs {
  readonly #legs = new Map<string, Leg>();
  readonly #listeners = new Set<() => void>();

  constructor(ami: AmiClient) {
    ami.onEvent((event) => this.#apply(event));
  }

  get(id: string): Leg | undefined {
    return this.#legs.get(id);
  }

  all(): readonly Leg[] {
    return [...this.#legs.values()];
  }

  /** Resolves with the leg as soon as `condition` holds for it. */
  until(id: string, condition: (leg: Leg) => boolean): Promise<Leg> {
    return new Promise((resolve) => {
      const check = () => {
        const leg = this.#legs.get(id);
        if (leg !== undefined && condition(leg)) {
          this.#listeners.delete(check);
          resolve(leg);
        }
      };
      this.#listeners.add(check);
      check();
    });
  }

  #apply(event: AmiMessage): void {
    const change = changeOf(event);
    if (change !== null) {
      const known = this.#legs.get(change.id) ?? { id: change.id, number: null, callId: null, talkingSince: null, rtp: null, cause: null };
      this.#legs.set(change.id, { ...known, ...change });
      [...this.#listeners].forEach((listener) => listener());
    }
  }
}

function changeOf(event: AmiMessage): (Partial<Leg> & { readonly id: string }) | null {
  const id = event["Leg"] ?? event["Uniqueid"] ?? "";
  switch (event["UserEvent"] ?? event["Event"]) {
    case "PstnTalking":
      return { id, callId: event["CallId"] ?? null, number: event["Number"] ?? null, talkingSince: performance.now() };
    case "PstnEnded":
      return { id, rtp: { sent: Number(event["Sent"]), received: Number(event["Received"]) } };
    case "Hangup":
      return { id, cause: Number(event["Cause"]) };
    default:
      return null;
  }
}
