import { CallReason, note } from "../call-reasons.ts";
import { CAUSE } from "../q850.ts";
import type { CallEvent, SeenChannel } from "./events.ts";
import { isConnecting } from "./answer.ts";
import { connect, prepareBridge } from "./dialing.ts";
import { askOnceMore, endCall, handBack, hangUp, settle, type Stepped } from "./ending.ts";
import { closeLeg, openChannels, withLeg } from "./legs.ts";
import type { Bridging, Call, Dialing, Leg } from "./states.ts";

type Resynced = Extract<CallEvent, { type: "Resynced" }>;
type Step = (call: Call, event: CallEvent) => Stepped;

/**
 * Catches up after ARI was away: its events of that time are never replayed, and requests on their way may be lost.
 * Channels that are missing are gone, legs that are up have answered, and what can't be seen to be done is asked for again.
 */
export function resync(before: Call, event: Resynced, step: Step): Stepped {
  if (wasAnswered(before, event)) return unobserved(before, event, "an early destination answered the caller and left again while the router was cut off from Asterisk");
  if (mayHaveTalked(before, event)) {
    return unobserved(before, event, "the caller and an early destination left while the router was cut off from Asterisk: whether they talked is not known");
  }
  let call = withLostRequests(before, event);
  const commands: Stepped[1][number][] = [];
  for (const missed of missedEvents(call, event)) {
    const stepped = step(call, missed);
    const [next, wanted] = isSentAway(call, stepped) ? legsUnseen(call, missed) : stepped;
    call = next;
    commands.push(...wanted);
  }
  // Whoever is called early goes into the bridge, which may be what was lost.
  const repeated = commands.length === 0 || call.kind === "dialing" ? again(call, event) : joiningAgain(before, call, event);
  return [call, [...hangUpsAgain(before, event), ...repeated, ...commands]];
}

/**
 * An early leg that is not in the bridge was never called: that is asked for behind its joining. Only then may it be called anew, because
 * Asterisk (22.10) hangs up a channel that is dialled twice. Whether a caller was given away is not known.
 */
function withLostRequests(call: Call, { inBridge }: Resynced): Call {
  if (call.kind === "ending") return { ...call, unsure: true };
  if (inBridge === null || !call.legs.some((leg) => leg.unsure)) return call;
  return { ...call, legs: call.legs.map((leg) => (leg.unsure && !inBridge.has(leg.channel) ? { ...leg, dialled: false } : leg)) };
}

/** Who answered meanwhile goes into the bridge alone: the caller's way there, begun before, may be what was lost. */
function joiningAgain(before: Call, call: Call, { inBridge }: Resynced): Stepped[1] {
  return before.kind === "dialing" && before.bridgeMade && call.kind === "bridging" && isOutside(call, inBridge) ? prepareBridge(call) : [];
}

/** An early leg and the caller, both gone: it may have answered, and Asterisk him. */
function mayHaveTalked(call: Call, { channels }: Resynced): boolean {
  const isMissing = ({ channel, gone }: Pick<Leg, "channel" | "gone">) => !gone && !channels.has(channel);
  return call.kind === "dialing" && isMissing(call.inbound) && call.legs.some((leg) => leg.early && leg.dialled && leg.result === null && isMissing(leg));
}

/** Only an early leg that answers has the caller answered while nobody looks, by Asterisk. It is there and talks to him, or has left again. */
function wasAnswered(call: Call, { channels }: Resynced): boolean {
  const isUp = (channel: string): boolean => channels.get(channel)?.up === true;
  return call.kind === "dialing" && isUp(call.inbound.channel) && !call.legs.some((leg) => leg.result === null && isUp(leg.channel));
}

/** Nobody is rung after an answer. */
function unobserved(call: Call, { channels, at }: Resynced, message: string): Stepped {
  const seen = <Side extends Pick<Leg, "channel" | "gone">>(side: Side): Side => (channels.has(side.channel) ? side : { ...side, gone: true });
  const noted: Call = { ...call, inbound: seen(call.inbound), legs: call.legs.map(seen), notes: [...call.notes, note(CallReason.EndUnobserved, message)] };
  return endCall(noted, { end: "failed", cause: CAUSE.normal }, at);
}

/** Legs that were given up and are still there are hung up once more: what was asked for may have gone with the socket. At the end of a call everybody is asked again. */
function hangUpsAgain(call: Call, { channels }: Resynced): Stepped[1] {
  if (call.kind === "ending" || call.kind === "ended") return [];
  const left = call.legs.filter((leg) => leg.hungUp && !leg.gone && channels.has(leg.channel));
  return left.map(({ channel }) => hangUp(channel, CAUSE.elsewhere));
}

/** Answers first, so that a leg that answered is not taken for a failed group. */
function missedEvents(call: Call, event: Resynced): readonly CallEvent[] {
  const { channels, at } = event;
  const answered = call.legs.filter((leg) => leg.result === null && channels.get(leg.channel)?.up === true);
  const ready = call.legs.filter((leg) => leg.early && !leg.dialled && leg.result === null && isThere(channels.get(leg.channel)));
  const missing = openChannels(call).filter((open) => !channels.has(open.channel));
  const joined = call.kind === "bridging" && talks(call, event) ? [call.winner] : [];
  return [
    ...joined.map((channel): CallEvent => ({ type: "Joined", channel, at })),
    ...answered.map((leg): CallEvent => ({ type: "LegAnswered", channel: leg.channel, unproven: true, at })),
    ...ready.map((leg): CallEvent => ({ type: "LegReady", channel: leg.channel, at })),
    ...missing.map((open): CallEvent => ({ type: "ChannelGone", channel: open.channel, cause: null, sipStatus: null, unsure: true, at })),
  ];
}

function isThere(seen: SeenChannel | undefined): boolean {
  return seen !== undefined && !seen.up && seen.young !== true;
}

/**
 * Both were asked for and are seen to be done. Asked for once more, they would fail when one of the two hangs up meanwhile, and the
 * record would say that they never talked.
 */
function talks(call: Bridging, { channels, inBridge }: Resynced): boolean {
  const parties = [call.inbound.channel, call.winner];
  return isConnecting(call) && parties.every((channel) => channels.get(channel)?.up === true && inBridge?.has(channel) === true);
}

/** A leg that is missing would send the caller away: had he left himself, that would have been seen first. */
function isSentAway(before: Call, [after]: Stepped): before is Dialing {
  return before.kind === "dialing" && after.kind === "ending" && !after.inbound.gone;
}

/**
 * How the ringing ended nobody saw, and who answered meanwhile was hung up by Asterisk: a leg needs somebody who puts it through.
 * It is no reason to send the caller away.
 */
function legsUnseen(call: Dialing, { at, ...missed }: CallEvent): Stepped {
  const channel = "channel" in missed ? missed.channel : "";
  const closed = withLeg(call, channel, (leg) => ({ ...closeLeg(leg, "unreachable", at), gone: true }));
  const message = "the ringing ended while the router was cut off from Asterisk; the caller was given to the pool's default destination";
  return handBack(closed, note(CallReason.LegsUnseen, message), at);
}

/** Connecting them was asked for, and its answer lost: "abandoned" would say that they never talked. */
export function asFarAsSeen(before: Call, [after, commands]: Stepped): Stepped {
  if (!isConnecting(before) || after.kind !== "ending") return [after, commands];
  const message = "somebody had answered, and the call ended while the router was cut off from Asterisk: whether the two were connected is not known";
  return [{ ...after, end: "failed", notes: [...after.notes, note(CallReason.EndUnobserved, message)] }, commands];
}

/** Neither side hung up: the call was cut. What had ended before keeps its outcome. */
export function asteriskRestarted(call: Call, at: Date): Stepped {
  const cut: Call = {
    ...call,
    notes: call.kind === "ending" || call.kind === "ended" ? call.notes : [...call.notes, note(CallReason.AsteriskRestarted, "Asterisk was restarted during the call")],
    inbound: { ...call.inbound, gone: true },
    legs: call.legs.map((leg) => ({ ...leg, gone: true })),
  };
  switch (cut.kind) {
    case "ended":
      return [call, []];
    case "ending":
      return settle(cut, []);
    default:
      return endCall(cut, { end: "failed", cause: CAUSE.failure }, at);
  }
}

function again(call: Call, { inBridge }: Resynced): Stepped[1] {
  switch (call.kind) {
    case "dialing":
      return call.bridgeMade && isOutside(call, inBridge) ? prepareBridge(call) : [];
    case "bridging":
      return connectAgain(call, inBridge);
    case "ending":
      return askOnceMore(call, CAUSE.normal);
    case "received":
    case "bridged":
    case "ended":
      return [];
  }
}

function isOutside({ inbound }: Call, inBridge: Resynced["inBridge"]): boolean {
  return inBridge !== null && !inBridge.has(inbound.channel);
}

function connectAgain(call: Bridging, inBridge: Resynced["inBridge"]): Stepped[1] {
  const prepare = isOutside(call, inBridge) ? prepareBridge(call) : [];
  // Its end is told, or the timer is.
  if (call.whispering) return prepare;
  // What a router before this one had begun to play goes on, a tone for ever, and until it ends the leg does nothing else.
  const silence: Stepped[1] = call.origin === null ? [{ type: "StopWhisper", channel: call.winner }] : [];
  return [...prepare, ...silence, ...connect(call)];
}
