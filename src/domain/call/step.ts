import { CallReason, note } from "../call-reasons.ts";
import { CAUSE } from "../q850.ts";
import type { CallEnd, Why } from "../types.ts";
import { isConnecting } from "./answer.ts";
import type { CallCommand, TimerName } from "./commands.ts";
import type { CallEvent, CommandFailure } from "./events.ts";
import { connect, createBridge, dialEarly, dialGroup, endWhisper, joinWithCaller, legFailed, notProven, proven, ringTimeout, silentTooLong, takeAnswer, tellRinging } from "./dialing.ts";
import { endCall, giveUp, handBack, hangUp, save, saveEnd, settle, type Stepped } from "./ending.ts";
import { findLeg, withLeg } from "./legs.ts";
import { isAttributionPending } from "./record.ts";
import { recognise } from "./recognise.ts";
import { asFarAsSeen, asteriskRestarted, resync } from "./resync.ts";
import type { Bridged, Bridging, Call, Dialing, Ended, Ending, Leg, Received } from "./states.ts";

type EventOf<T extends CallEvent["type"]> = Extract<CallEvent, { type: T }>;

/** What each event does to a call. */
const HANDLERS: { readonly [T in CallEvent["type"]]: (call: Call, event: EventOf<T>) => Stepped } = {
  Decided: decided,
  Attributed: attributed,
  Undecidable: undecidable,
  Recognised: (call, { record, at }) => recognise(call, record, at),
  Stopping: stopping,
  LegReady: legReady,
  LegRinging: legRinging,
  LegUp: legUp,
  LegAnswered: legAnswered,
  ChannelGone: channelGone,
  HangingUp: hangingUp,
  Whispered: whispered,
  Joined: joined,
  CommandFailed: commandFailed,
  Deadline: (call, { timer, at }) => TIMED_OUT[timer](call, at),
  Delayed: (call, { timer }) => [call, call.kind === "ending" && timer === "hangup" ? saveEnd(call) : []],
  AsteriskRestarted: (call, { at }) => asteriskRestarted(call, at),
  Resynced: (call, event) => resync(call, event, step),
};

/** What each timer does when it has run out. None is stopped when its call moves on: then it finds another state, and does nothing. */
const TIMED_OUT: { readonly [T in TimerName]: (call: Call, at: Date) => Stepped } = {
  decision: (call, at) => undecidable(call, { reason: CallReason.DecisionTimeout, message: "no decision was made in time", at }),
  silence: (call) => (call.kind === "dialing" ? silentTooLong(call) : [call, []]),
  ring: (call, at) => (call.kind === "dialing" ? ringTimeout(call, at) : [call, []]),
  whisper: (call, at) => (call.kind === "bridging" ? heardEnough(call, at) : [call, []]),
  proof: (call, at) => (call.kind === "bridging" && call.unproven ? notProven(call, at) : [call, []]),
  duration: (call, at) => (call.kind === "bridging" || call.kind === "bridged" ? endCall(call, { end: "max-duration", cause: CAUSE.normal }, at) : [call, []]),
  hangup: (call) => (call.kind === "ending" ? giveUp(call) : [call, []]),
};

/**
 * The whole of call control, without any I/O: what a call becomes by an event, and what has to be done, in this order.
 * Any event may come in any state, late or twice. Nobody is dialled after an answer, and what was dialled is hung up.
 */
export function step(call: Call, event: CallEvent): Stepped {
  // It is this event's own handler: the compiler can't see that they go together.
  const handle = HANDLERS[event.type] as (call: Call, event: CallEvent) => Stepped;
  return handle(call, event);
}

/** The next router would do the same with a caller for whom it rings, but who picks up until then would do so in vain. */
function stopping(call: Call, { at }: EventOf<"Stopping">): Stepped {
  const message = "the router was stopped before anybody answered; the caller was given to the pool's default destination";
  return call.kind === "received" || call.kind === "dialing" ? handBack(call, note(CallReason.RouterStopped, message), at) : [call, []];
}

function decided(received: Call, { context, decision, at }: EventOf<"Decided">): Stepped {
  if (received.kind !== "received") {
    return [received, []];
  }
  const call: Received = { ...received, context, decision };
  if (decision.outcome === "refuse") {
    return endCall(call, { end: "refused", cause: CAUSE.rejected }, at);
  }
  if ((decision.groups[0]?.length ?? 0) === 0) {
    return endCall(call, { end: "congestion", cause: CAUSE.congestion }, at);
  }
  return dialGroup(call, decision, 0, at);
}

/** Known once the call is on its way, or over already. */
function attributed(call: Call, { context }: EventOf<"Attributed">): Stepped {
  if (call.kind === "ended" || !isAttributionPending(call)) {
    return [call, []];
  }
  const known = { ...call, context };
  return known.kind === "ending" ? settle(known, []) : [known, save(known)];
}

function undecidable(call: Call, { reason, message, at }: Omit<EventOf<"Undecidable">, "type">): Stepped {
  return call.kind === "received" ? handBack(call, note(reason, message), at) : [call, []];
}

/** Asterisk has made an early leg. When its call went on without it, nobody is called by it. */
function legReady(call: Call, { channel }: EventOf<"LegReady">): Stepped {
  return call.kind === "dialing" ? dialEarly(call, channel) : [call, [hangUp(channel, CAUSE.elsewhere)]];
}

function legRinging(call: Call, { channel }: EventOf<"LegRinging">): Stepped {
  return call.kind === "dialing" ? tellRinging(call, channel) : [call, []];
}

/** An early leg is in the bridge already, and talks. Any other can be used when it has entered the application: `LegAnswered` follows. */
function legUp(call: Call, event: EventOf<"LegUp">): Stepped {
  return findLeg(call, event.channel)?.early === true ? legAnswered(call, event) : [call, []];
}

function legAnswered(call: Call, event: EventOf<"LegUp" | "LegAnswered">): Stepped {
  const { channel } = event;
  if (call.kind === "dialing") {
    return takeAnswer(call, channel, event);
  }
  const isWinner = (call.kind === "bridging" || call.kind === "bridged") && call.winner === channel;
  return [call, isWinner ? entered(call) : [hangUp(channel, CAUSE.elsewhere)]];
}

/** A leg whose joining came too early can join now. */
function entered(call: Bridging | Bridged): readonly CallCommand[] {
  return call.kind === "bridging" && call.unproven && !call.whispering ? connect(call) : [];
}

function whispered(call: Call, { channel, at }: Pick<EventOf<"Whispered">, "channel" | "at">): Stepped {
  return call.kind === "bridging" && call.winner === channel ? endWhisper(call, at) : [call, []];
}

/** Nobody is asked to join while the whisper is heard. */
function joined(call: Call, { channel, at }: EventOf<"Joined">): Stepped {
  if (call.kind !== "bridging" || call.whispering || channel !== call.winner) {
    return [call, []];
  }
  if (call.unproven) {
    return proven(call, at);
  }
  const next: Bridged = { ...call, kind: "bridged", bridgedAt: at };
  return [next, save(next)];
}

function channelGone(before: Call, event: EventOf<"ChannelGone">): Stepped {
  const stepped = withoutChannel(before, event);
  return event.unsure === true ? asFarAsSeen(before, stepped) : stepped;
}

/** A caller who leaves before an answer: what is asked for in the moment until he is gone fails, and not because of us. */
function hangingUp(call: Call, event: EventOf<"HangingUp">): Stepped {
  const gives = (call.kind === "received" || call.kind === "dialing") && event.channel === call.inbound.channel;
  return gives ? channelGone(call, { ...event, type: "ChannelGone" }) : [call, []];
}

function withoutChannel(before: Call, event: EventOf<"ChannelGone">): Stepped {
  if (before.kind === "ended") {
    return [before, []];
  }
  if (event.channel === before.inbound.channel) {
    return inboundGone({ ...before, inbound: { ...before.inbound, gone: true, hangupCause: event.cause } }, event);
  }
  const close = (leg: Leg): Leg => ({ ...leg, gone: true, hangupCause: leg.hangupCause ?? event.cause ?? CAUSE.normal });
  return legGone(withLeg(before, event.channel, close), event);
}

function inboundGone(call: Exclude<Call, Ended>, event: EventOf<"ChannelGone">): Stepped {
  switch (call.kind) {
    case "received":
    case "dialing":
      return endCall(call, { end: "abandoned", cause: CAUSE.normal }, event.at);
    case "bridging":
      return callerLeft(call, event);
    case "bridged":
      return partyLeft(call, "abandoned", event);
    case "ending":
      return settle(call, []);
  }
}

/** Who is answered and hears nobody for so long leaves because of us, and has not given up. */
const CONNECT_SECONDS = 2;

function callerLeft(call: Bridging, event: EventOf<"ChannelGone">): Stepped {
  // Whether the two were brought together is not known: `asFarAsSeen` says so.
  if (event.unsure === true) return partyLeft(call, "abandoned", event);
  // An earlier router had answered him.
  if (call.home === null) return leftWaiting(call, event, "an earlier router had answered the caller, who left before the two were brought together");
  if (event.unanswered === true) return partyLeft({ ...call, answeredAt: null }, "abandoned", event);
  const waitedSeconds = call.answeredAt === null ? 0 : (event.at.getTime() - call.answeredAt.getTime()) / 1000;
  if (waitedSeconds < CONNECT_SECONDS) return partyLeft(call, "abandoned", event);
  return leftWaiting(call, event, `the caller was answered and left after ${waitedSeconds.toFixed(1)} s in which the two were not brought together`);
}

function leftWaiting(call: Bridging, event: EventOf<"ChannelGone">, because: string): Stepped {
  return partyLeft({ ...call, notes: [...call.notes, note(CallReason.BridgeFailed, because)] }, "failed", event);
}

function legGone(call: Exclude<Call, Ended>, event: EventOf<"ChannelGone">): Stepped {
  const { channel, cause, sipStatus, at } = event;
  switch (call.kind) {
    case "received":
      return [call, []];
    case "dialing":
      return findLeg(call, channel) === undefined ? [call, []] : legFailed(call, channel, { cause, sipStatus }, at);
    case "bridging":
    case "bridged":
      return channel === call.winner ? partyLeft(call, "failed", event) : [call, []];
    case "ending":
      return settle(call, []);
  }
}

/**
 * One of the two hung up: the other is hung up as well, and told the same cause. `early` is what it is called before they heard each
 * other. Who hears the whisper and hangs up declines the call: nobody else is rung, since a person answered.
 */
function partyLeft(call: Bridging | Bridged, early: CallEnd, { at, cause }: Pick<EventOf<"ChannelGone">, "at" | "cause">): Stepped {
  if (call.kind === "bridging" && call.unproven && early === "failed") {
    return notProven(call, at);
  }
  if (call.kind === "bridging" && call.whispering && early === "failed") {
    return endCall(call, { end: "declined", cause: CAUSE.rejected }, at);
  }
  const told = cause !== null && cause >= 1 && cause <= 127 ? cause : CAUSE.normal;
  return endCall(call, { end: call.kind === "bridged" ? "completed" : early, cause: told, callees: told }, at);
}

function commandFailed(call: Call, event: EventOf<"CommandFailed">): Stepped {
  switch (event.command) {
    case "Originate":
    case "Dial":
      return originateFailed(call, event);
    case "CreateBridge":
    case "AddToBridge":
    case "Answer":
      return connectFailed(call, event);
    case "Whisper":
      return whispered(call, event);
    case "Continue":
      return call.kind === "ending" ? continueFailed(call, event) : [call, []];
    default:
      // Ringing is a courtesy, the limit a backstop; a bridge or channel that can't be taken away is gone.
      return [call, []];
  }
}

/**
 * Without an answer it may ring all the same: what Asterisk says next tells, or its silence until the ring timer. One that can't be
 * called is there: it is hung up and its end awaited.
 */
function originateFailed(before: Call, { command, channel, failure, at }: EventOf<"CommandFailed">): Stepped {
  if (failure.kind === "unanswered") {
    return [command === "Dial" ? withLeg(before, channel, (leg) => ({ ...leg, unsure: true })) : before, []];
  }
  const call = failure.kind === "limit" && failure.full ? withLeg(before, channel, (leg) => ({ ...leg, full: true })) : before;
  if (command === "Originate") {
    const cause = failure.kind === "limit" || answers(failure, 503) ? CAUSE.congestion : null;
    return channelGone(call, { type: "ChannelGone", channel, cause, sipStatus: null, at });
  }
  const leg = findLeg(call, channel);
  if (call.kind !== "dialing" || leg?.result !== null) {
    return [call, []];
  }
  const [next, commands] = legFailed(withLeg(call, channel, (old) => ({ ...old, hungUp: true })), channel, { cause: null, sipStatus: null }, at);
  return [next, [hangUp(channel, CAUSE.normal), ...commands]];
}

/** While it rings the dialplan can still take over; after an answer there is nobody else to be connected to. */
function connectFailed(call: Call, event: EventOf<"CommandFailed">): Stepped {
  const { command, channel, failure, at } = event;
  if (failure.kind === "unanswered" && (call.kind === "dialing" || call.kind === "bridging")) {
    return [call, askAgain(call, command, channel)];
  }
  if (call.kind === "dialing" && findLeg(call, channel) !== undefined) {
    return originateFailed(call, event);
  }
  const because = note(CallReason.BridgeFailed, failure.kind === "refused" ? `Asterisk answered ${failure.status} to ${command}` : `${command} could not be asked of Asterisk`);
  if (call.kind === "bridging" && call.unproven) {
    return channel === call.winner ? joinFailed(call, event) : handBack(call, because, at);
  }
  const unanswered = command === "Answer" && call.kind === "bridging" ? { ...call, answeredAt: null } : call;
  return unconnected(unanswered, because, at);
}

function unconnected(call: Call, because: Why, at: Date): Stepped {
  if (call.kind === "dialing") {
    return handBack(call, because, at);
  }
  return call.kind === "bridging" ? endCall(call, { end: "failed", cause: CAUSE.failure }, at) : [call, []];
}

/** 400 says that there is no such channel. One that is not in the application is on its way into it, or to its end: what comes next tells. */
function joinFailed(call: Bridging, { failure, at }: EventOf<"CommandFailed">): Stepped {
  return failure.kind === "not asked" || answers(failure, 400) ? notProven(call, at) : [call, []];
}

/** What was not answered may have been done; to do it twice does no harm. */
function askAgain(call: Dialing | Bridging, command: CallCommand["type"], channel: string): readonly CallCommand[] {
  if (!call.bridgeMade) {
    return [];
  }
  switch (command) {
    case "CreateBridge":
      return [createBridge(call)];
    case "AddToBridge":
      return [call.kind === "bridging" && channel === call.winner ? joinWithCaller(call) : { type: command, bridge: call.bridge, channel, caller: null }];
    case "Answer":
      return isConnecting(call) ? [{ type: command, channel }] : [];
    default:
      return [];
  }
}

/**
 * 404: the caller had gone before. 409: the dialplan has the caller already. Without an answer it is asked for again, when the hang-ups
 * are or when ARI is back. Everything else leaves a caller whom nobody serves.
 */
function continueFailed(call: Ending, { failure }: EventOf<"CommandFailed">): Stepped {
  if (failure.kind === "unanswered" || answers(failure, 409)) {
    return [{ ...call, unsure: call.unsure || failure.kind === "unanswered" }, []];
  }
  const hasGone = answers(failure, 404);
  // He may have been given away by the first of them, and have talked.
  if (hasGone && call.unsure) return [call, []];
  const ending: Ending = { ...call, handedBack: false, end: hasGone ? "abandoned" : call.end };
  return [ending, hasGone ? [] : [hangUp(call.inbound.channel, call.cause)]];
}

function answers(failure: CommandFailure, status: number): boolean {
  return failure.kind === "refused" && failure.status === status;
}

/** The whisper lasts too long. */
function heardEnough(call: Bridging, at: Date): Stepped {
  const [next, commands] = endWhisper(call, at);
  return [next, commands.length === 0 ? [] : [{ type: "StopWhisper", channel: call.winner }, ...commands]];
}
