import type { CallCommand } from "./commands.ts";
import type { CallRecord } from "../types.ts";
import { keep } from "./ending.ts";
import { bridgeId } from "./ids.ts";
import { NEW_LEG } from "./legs.ts";
import { recordOf } from "./record.ts";
import type { Bridged, Bridging, Home, InboundLeg, Leg, Origin, Received } from "./states.ts";

/** Longer than the look-up may take; then the dialplan's default is better than a caller who hears nothing. */
const DECISION_SECONDS = 3;

const nothingYet = {
  ringing: false,
  legs: [],
  context: null,
  decision: null,
  answeredAt: null,
  bridgedAt: null,
  notes: [],
} as const;

/**
 * A call that Asterisk gave to us.
 *
 * @param id a UUID, unique over all pods and for ever
 * @param channel the inbound channel
 */
export function receiveCall(id: string, channel: string, origin: Origin): readonly [Received, readonly CallCommand[]] {
  const call = received(id, channel, origin);
  return [call, [...keep(call), { type: "StartTimer", timer: "decision", seconds: DECISION_SECONDS }]];
}

/** What is known of a call of which only the arrival is. */
export function firstRecord(id: string, origin: Origin): CallRecord {
  return recordOf(received(id, "", origin), origin);
}

function received(id: string, channel: string, origin: Origin): Received {
  return { ...nothingYet, kind: "received", id, origin, home: origin, inbound: newInbound(channel), bridge: bridgeId(id), bridgeMade: false };
}

function newInbound(channel: string): InboundLeg {
  return { channel, hangupCause: null, hungUp: false, gone: false };
}

interface Held {
  readonly bridge: string;
  readonly inbound: string;
  readonly leg: string;
}

/** A call that was bridged before this process began: it is only watched until one side hangs up. */
export function adoptCall(id: string, channels: Held, at: Date): Bridged {
  return { ...adopted(id, channels, null, at), kind: "bridged", answeredAt: at, bridgedAt: at };
}

/**
 * A call whose leg had answered, of a process that did not come to connect it.
 *
 * @param home null: the caller was answered, and nobody else is rung any more
 */
export function adoptAnswered(id: string, channels: Held, home: Home | null, at: Date): Bridging {
  return { ...adopted(id, channels, home, at), kind: "bridging", answeredAt: home === null ? at : null, whispering: false, unproven: home !== null };
}

function adopted(id: string, channels: Held, home: Home | null, at: Date): Omit<Bridged, "kind"> {
  const leg: Leg = { ...NEW_LEG, channel: channels.leg, destination: "", trunk: "", startedAt: at, answeredAt: at, result: "answered", dialled: true };
  return { ...nothingYet, id, origin: null, home, inbound: newInbound(channels.inbound), bridge: channels.bridge, bridgeMade: true, legs: [leg], winner: channels.leg };
}
