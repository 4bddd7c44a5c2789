import type { CallCommand } from "./commands.ts";
import { bridgeId } from "./ids.ts";
import type { Bridged, Leg, Origin, Received } from "./states.ts";

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
  const inbound = { channel, hangupCause: null, hungUp: false, gone: false };
  const call: Received = { ...nothingYet, kind: "received", id, origin, inbound, bridge: bridgeId(id), bridgeMade: false };
  return [call, [{ type: "StartTimer", timer: "decision", seconds: DECISION_SECONDS }]];
}

/** A call that was bridged before this process began: it is only watched until one side hangs up. */
export function adoptCall(id: string, channels: { readonly bridge: string; readonly inbound: string; readonly leg: string }, at: Date): Bridged {
  const inbound = { channel: channels.inbound, hangupCause: null, hungUp: false, gone: false };
  const leg: Leg = {
    channel: channels.leg,
    destination: "",
    trunk: "",
    startedAt: at,
    answeredAt: at,
    endedAt: null,
    result: "answered",
    hangupCause: null,
    whisper: null,
    hungUp: false,
    gone: false,
  };
  return { ...nothingYet, kind: "bridged", id, origin: null, inbound, bridge: channels.bridge, bridgeMade: true, legs: [leg], winner: channels.leg };
}
