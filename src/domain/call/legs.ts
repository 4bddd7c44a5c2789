import type { Attempt, LegResult } from "../types.ts";
import type { SeenChannel } from "./events.ts";
import type { Call, Leg } from "./states.ts";

/** Nothing has become of it yet. */
export const NEW_LEG = {
  answeredAt: null,
  endedAt: null,
  result: null,
  hangupCause: null,
  whisper: null,
  early: false,
  dialled: false,
  unsure: false,
  full: false,
  hungUp: false,
  gone: false,
} as const satisfies Partial<Leg>;

export function newLeg(channel: string, attempt: Attempt, { early, at }: { readonly early: boolean; readonly at: Date }): Leg {
  const { destination, trunk, whisper } = attempt;
  return { ...NEW_LEG, channel, destination, trunk, startedAt: at, whisper, early };
}

export function findLeg(call: Call, channel: string): Leg | undefined {
  return call.legs.find((leg) => leg.channel === channel);
}

/** Applies `change` to one leg. */
export function withLeg<C extends Call>(call: C, channel: string, change: (leg: Leg) => Leg): C {
  return { ...call, legs: call.legs.map((leg) => (leg.channel === channel ? change(leg) : leg)) };
}

/** Closes the leg's record; what was decided earlier stands. */
export function closeLeg(leg: Leg, result: LegResult, at: Date): Leg {
  return leg.endedAt === null ? { ...leg, endedAt: at, result: leg.result ?? result } : leg;
}

/** Still being called: neither answered nor given up. */
export function isRinging(leg: Leg): boolean {
  return leg.result === null && !leg.gone;
}

/** Legs that may not be in Asterisk's list yet: they are not missing. */
export function youngLegs({ legs }: Call, since: Date): readonly (readonly [string, SeenChannel])[] {
  return legs.filter(({ startedAt }) => startedAt >= since).map(({ channel }) => [channel, { up: false, young: true }]);
}

/** Channels that Asterisk may still hold. */
export function openChannels(call: Call): readonly { readonly channel: string; readonly hungUp: boolean }[] {
  return [call.inbound, ...call.legs].filter((leg) => !leg.gone);
}

/** Of all these calls. */
export function openChannelIds(calls: readonly Call[]): readonly string[] {
  return calls.flatMap((call) => openChannels(call).map(({ channel }) => channel));
}
