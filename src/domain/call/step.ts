import { CallReason, note } from "../call-reasons.ts";
import { CAUSE } from "../q850.ts";
import type { CallEnd, Why } from "../types.ts";
import type { CallCommand, TimerName } from "./commands.ts";
import type { CallEvent, CommandFailure } from "./events.ts";
import { connect, createBridge, dialGroup, joinWithCaller, legAnswered, legFailed, legReady, legRinging, notProven, proven, ringTimeout, silentTooLong, whispered } from "./dialing.ts";
import { endCall, giveUp, handBack, hangUp, save, settle, type Stepped } from "./ending.ts";
import { findLeg, withLeg } from "./legs.ts";
import { isAttributionPending } from "./record.ts";
import { recognise } from "./recognise.ts";
import { asFarAsSeen, asteriskRestarted, resync } from "./resync.ts";
import type { Bridged, Bridging, Call, Dialing, Ended, Ending, Leg, Received } from "./states.ts";

type EventOf<T extends CallEvent["type"]> = Extract<CallEvent, { type: T }>;

/**
 * The whole of call control, without any I/O: what a call becomes by an event, and what has to be done, in this order.
 * Any event may come in any state, late or twice. Nobody is dialled after an answer, and what was dialled is hung up.
 */
export function step(call: Call, event: CallEvent): Stepped {
  switch (event.type) {
    case "Decided":
      return decided(call, event);
    case "Undecidable":
      return undecidable(call, event);
    case "LegReady":
    case "LegRinging":
    case "LegUp":
    case "LegAnswered":
      return legEvent(call, event);
    case "ChannelGone":
      return gone(call, event);
    case "Whispered":
      return heard(call, event.channel);
    case "Joined":
      return joined(call, event);
    case "CommandFailed":
      return failed(call, event);
    case "Deadline":
      return deadline(call, event);
    default:
      return ofCallerOrRouter(call, event);
  }
}

function ofCallerOrRouter(call: Call, event: EventOf<"HangingUp" | "Attributed" | "Recognised" | "AsteriskRestarted" | "Resynced" | "Stopping">): Stepped {
  switch (event.type) {
    case "HangingUp":
      return hangingUp(call, event);
    case "Attributed":
      return attributed(call, event);
    case "Stopping":
      return stopping(call, event.at);
    case "Recognised":
      return recognise(call, event.record, event.at);
    case "AsteriskRestarted":
      return asteriskRestarted(call, event.at);
    case "Resynced":
      return resync(call, event, step);
  }
}

/** The next router would do the same with a caller for whom it rings, but who picks up until then would do so in vain. */
function stopping(call: Call, at: Date): Stepped {
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

function undecidable(call: Call, { reason, message, at }: EventOf<"Undecidable">): Stepped {
  return call.kind === "received" ? handBack(call, note(reason, message), at) : [call, []];
}

function legEvent(call: Call, event: EventOf<"LegReady" | "LegRinging" | "LegUp" | "LegAnswered">): Stepped {
  const { channel } = event;
  switch (event.type) {
    case "LegReady":
      // Its call went on without it.
      return call.kind === "dialing" ? legReady(call, channel) : [call, [hangUp(channel, CAUSE.elsewhere)]];
    case "LegRinging":
      return call.kind === "dialing" ? legRinging(call, channel) : [call, []];
    case "LegUp":
      return findLeg(call, channel)?.early === true ? answered(call, event) : [call, []];
    case "LegAnswered":
      return answered(call, event);
  }
}

function answered(call: Call, event: EventOf<"LegUp" | "LegAnswered">): Stepped {
  const { channel } = event;
  if (call.kind === "dialing") {
    return legAnswered(call, channel, event);
  }
  const isWinner = (call.kind === "bridging" || call.kind === "bridged") && call.winner === channel;
  return [call, isWinner ? entered(call) : [hangUp(channel, CAUSE.elsewhere)]];
}

/** A leg whose joining came too early can join now. */
function entered(call: Bridging | Bridged): readonly CallCommand[] {
  return call.kind === "bridging" && call.unproven && !call.whispering ? connect(call) : [];
}

function heard(call: Call, channel: string): Stepped {
  return call.kind === "bridging" && call.winner === channel ? whispered(call) : [call, []];
}

function joined(call: Call, { channel, at }: EventOf<"Joined">): Stepped {
  if (call.kind !== "bridging" || channel !== call.winner) {
    return [call, []];
  }
  if (call.unproven) {
    return proven(call);
  }
  const next: Bridged = { ...call, kind: "bridged", bridgedAt: at };
  return [next, save(next)];
}

function gone(before: Call, event: EventOf<"ChannelGone">): Stepped {
  const stepped = channelGone(before, event);
  return event.unsure === true ? asFarAsSeen(before, stepped) : stepped;
}

/** A caller who leaves before an answer: what is asked for in the moment until he is gone fails, and not because of us. */
function hangingUp(call: Call, event: EventOf<"HangingUp">): Stepped {
  const gives = (call.kind === "received" || call.kind === "dialing") && event.channel === call.inbound.channel;
  return gives ? gone(call, { ...event, type: "ChannelGone" }) : [call, []];
}

function channelGone(before: Call, event: EventOf<"ChannelGone">): Stepped {
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
      return partyLeft(event.unanswered === true ? { ...call, answeredAt: null } : call, "abandoned", event);
    case "bridged":
      return partyLeft(call, "abandoned", event);
    case "ending":
      return settle(call, []);
  }
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

function failed(call: Call, event: EventOf<"CommandFailed">): Stepped {
  switch (event.command) {
    case "Originate":
    case "Dial":
      return originateFailed(call, event);
    case "CreateBridge":
    case "AddToBridge":
    case "Answer":
      return connectFailed(call, event);
    case "Whisper":
      return heard(call, event.channel);
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
    return [before, []];
  }
  const call = failure.kind === "limit" && failure.full ? withLeg(before, channel, (leg) => ({ ...leg, full: true })) : before;
  if (command === "Originate") {
    const cause = failure.kind === "limit" || answers(failure, 503) ? CAUSE.congestion : null;
    return gone(call, { type: "ChannelGone", channel, cause, sipStatus: null, at });
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
  return unconnected(call, because, at);
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
      return call.kind === "bridging" && !call.whispering && !call.unproven ? [{ type: command, channel }] : [];
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
    return [call, []];
  }
  const hasGone = answers(failure, 404);
  const ending: Ending = { ...call, handedBack: false, end: hasGone ? "abandoned" : call.end };
  return [ending, hasGone ? [] : [hangUp(call.inbound.channel, call.cause)]];
}

function answers(failure: CommandFailure, status: number): boolean {
  return failure.kind === "refused" && failure.status === status;
}

function deadline(call: Call, { timer, at }: EventOf<"Deadline">): Stepped {
  switch (timer) {
    case "decision":
      return undecidable(call, { type: "Undecidable", reason: CallReason.DecisionTimeout, message: "no decision was made in time", at });
    case "silence":
    case "ring":
      return call.kind === "dialing" ? beforeAnswer(call, timer, at) : [call, []];
    case "whisper":
    case "proof":
    case "duration":
      return call.kind === "bridging" || call.kind === "bridged" ? afterAnswer(call, timer, at) : [call, []];
    case "hangup":
      return call.kind === "ending" ? giveUp(call) : [call, []];
  }
}

function beforeAnswer(call: Dialing, timer: "silence" | "ring", at: Date): Stepped {
  return timer === "silence" ? silentTooLong(call) : ringTimeout(call, at);
}

function afterAnswer(call: Bridging | Bridged, timer: TimerName, at: Date): Stepped {
  if (timer === "duration") {
    return endCall(call, { end: "max-duration", cause: CAUSE.normal }, at);
  }
  if (call.kind === "bridged") {
    return [call, []];
  }
  return timer === "whisper" ? heardEnough(call) : proofTimeout(call, at);
}

function proofTimeout(call: Bridging, at: Date): Stepped {
  return call.unproven ? notProven(call, at) : [call, []];
}

function heardEnough(call: Bridging): Stepped {
  const [next, commands] = whispered(call);
  return [next, commands.length === 0 ? [] : [{ type: "StopWhisper", channel: call.winner }, ...commands]];
}
