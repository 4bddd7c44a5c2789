import type { CallCommand } from "./commands.ts";
import { bridgeId } from "./ids.ts";
import type { Bridged, Bridging, Leg, Origin, Received } from "./states.ts";

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

interface Held {
  readonly bridge: string;
  readonly inbound: string;
  readonly leg: string;
}

/** A call that was bridged before this process began: it is only watched until one side hangs up. */
export function adoptCall(id: string, channels: Held, at: Date): Bridged {
  return { ...adopted(id, channels, at), kind: "bridged" };
}

/** A call whose leg had answered, of a process that did not come to connect it. */
export function adoptAnswered(id: string, channels: Held, at: Date): Bridging {
  return { ...adopted(id, channels, at), kind: "bridging", answeredAt: at };
}

function adopted(id: string, channels: Held, at: Date): Omit<Bridging, "kind"> {
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
    early: false,
    dialled: true,
    full: false,
    hungUp: false,
    gone: false,
  };
  return { ...nothingYet, whispering: false, id, origin: null, inbound, bridge: channels.bridge, bridgeMade: true, legs: [leg], winner: channels.leg };
}
