import { classifyHangup, groupResult, nextStep } from "../failover.ts";
import { CAUSE } from "../q850.ts";
import type { Attempt, CallEnd, LegResult, RouteDecision } from "../types.ts";
import { fallback } from "../routing.ts";
import { CallReason, note } from "../call-reasons.ts";
import type { CallCommand } from "./commands.ts";
import { endCall, handBack, hangUp, save, type Stepped } from "./ending.ts";
import { legId } from "./ids.ts";
import { closeLeg, findLeg, isRinging, newLeg, withLeg } from "./legs.ts";
import type { Bridged, Bridging, Call, Dialing, Leg } from "./states.ts";

/** Asterisk's own ring time-out comes first; ours only helps when that is lost. */
const RING_GRACE_SECONDS = 5;
/** Many carriers say nothing that Asterisk takes for ringing (183 and no 180): then the caller is told so all the same. */
const SILENCE_SECONDS = 1.5;
/** Longest whisper: the caller hears nothing but ringing meanwhile. */
const WHISPER_SECONDS = 20;
const TONE_SECONDS = 2;
/** A leg that Asterisk hangs up goes within milliseconds, one that it keeps is told of as soon. */
const PROOF_SECONDS = 3;
/** How much later than the router Asterisk itself ends a call that is too long. */
const BACKSTOP_GRACE_SECONDS = 60;

/**
 * Rings every destination of a group at the same time. Until one of them says that it rings, Asterisk is asked for nothing else: what it is
 * asked for is what a far end that answers at once, and its caller, would wait for.
 */
export function dialGroup(call: Call, decision: RouteDecision, group: number, at: Date): Stepped {
  const attempts = decision.groups[group] ?? [];
  const dialled = attempts.map((attempt, index) => ({ attempt, channel: legId(call.id, call.legs.length + index) }));
  const early = decision.earlyMedia && isAlone(attempts);
  const ringSeconds = Math.max(...attempts.map((attempt) => attempt.ringTimeoutSeconds)) + RING_GRACE_SECONDS;
  const dialing: Dialing = {
    ...call,
    kind: "dialing",
    decision,
    group,
    // Asterisk told the caller that an early leg rings, and he heard what its side played: what rings now, nobody has told him.
    ringing: call.ringing && call.legs.at(-1)?.early !== true,
    bridgeMade: call.bridgeMade || early,
    legs: [...call.legs, ...dialled.map(({ channel, attempt }) => newLeg(channel, attempt, { early, at }))],
  };
  const originates = dialled.map(({ channel, attempt }): CallCommand => {
    const absoluteTimeoutSeconds = attempt.ringTimeoutSeconds + decision.maxCallSeconds + BACKSTOP_GRACE_SECONDS;
    return { type: "Originate", channel, attempt, early, callerId: decision.callerId, absoluteTimeoutSeconds };
  });
  const prepare = early && !call.bridgeMade ? prepareBridge(dialing) : [];
  const silence: readonly CallCommand[] = early || dialing.ringing ? [] : [{ type: "StartTimer", timer: "silence", seconds: SILENCE_SECONDS }];
  return [dialing, [...originates, ...prepare, { type: "StartTimer", timer: "ring", seconds: ringSeconds }, ...silence, ...save(dialing)]];
}

/** One alone can be in the bridge while it rings: of several the caller would hear all at once, and a whisper is for the callee only. */
function isAlone(attempts: readonly Attempt[]): boolean {
  return attempts.length === 1 && attempts.every(({ whisper }) => whisper === null);
}

/** An early leg is there: into the bridge with it, then it is called. */
export function dialEarly(call: Dialing, channel: string): Stepped {
  const leg = findLeg(call, channel);
  if (leg === undefined || !leg.early || leg.dialled || !isRinging(leg)) {
    return [call, leg?.dialled === true ? [] : [hangUp(channel, CAUSE.elsewhere)]];
  }
  const { ringTimeoutSeconds = 0 } = call.decision.groups[call.group]?.[0] ?? {};
  // In this order: one that is not in the bridge was not called either.
  const commands: readonly CallCommand[] = [
    { type: "AddToBridge", bridge: call.bridge, channel, caller: null },
    { type: "Dial", channel, seconds: ringTimeoutSeconds },
    { type: "StartTimer", timer: "ring", seconds: ringTimeoutSeconds + RING_GRACE_SECONDS },
  ];
  return [withLeg(call, channel, (old) => ({ ...old, dialled: true, unsure: false })), commands];
}

export function prepareBridge(call: Call): readonly CallCommand[] {
  return [createBridge(call), { type: "AddToBridge", bridge: call.bridge, channel: call.inbound.channel, caller: null }];
}

export function createBridge(call: Call): CallCommand {
  return { type: "CreateBridge", bridge: call.bridge, early: call.decision?.earlyMedia === true };
}

/** The caller is told once that it rings, and waits in the bridge from then on: that saves a round trip at the answer. */
export function tellRinging(call: Dialing, channel: string): Stepped {
  const leg = findLeg(call, channel);
  if (call.ringing || leg === undefined || !isRinging(leg)) {
    return [call, []];
  }
  // Asterisk itself tells the caller that an early leg rings.
  return leg.early ? [{ ...call, ringing: true }, []] : itRings(call);
}

/** Whoever is called, the caller does not sit in silence. What an early leg's side plays is heard instead. */
export function silentTooLong(call: Dialing): Stepped {
  return call.ringing || call.legs.at(-1)?.early === true ? [call, []] : itRings(call);
}

function itRings(call: Dialing): Stepped {
  return [{ ...call, ringing: true, bridgeMade: true }, [{ type: "Ring", channel: call.inbound.channel }, ...(call.bridgeMade ? [] : prepareBridge(call))]];
}

/** The first to answer wins; the others stop ringing. A leg that was given up in the meantime is only hung up. */
export function takeAnswer(call: Dialing, channel: string, { at, unproven = false }: { readonly at: Date; readonly unproven?: boolean }): Stepped {
  const winner = findLeg(call, channel);
  if (winner === undefined || !isRinging(winner)) {
    return [call, [hangUp(channel, CAUSE.elsewhere)]];
  }
  if (winner.early) {
    return answeredInBridge(call, channel, at);
  }
  const losers = call.legs.filter((leg) => leg.channel !== channel && !leg.gone && !leg.hungUp);
  const legs = call.legs.map((leg) => decided(leg, channel, at));
  const bridging: Bridging = { ...call, kind: "bridging", winner: channel, whispering: winner.whisper !== null, unproven, bridgeMade: true, answeredAt: winner.whisper === null && !unproven ? at : null, legs };
  const first = call.bridgeMade ? firstOf(bridging, winner.whisper) : withBridge(bridging, winner.whisper);
  const duration: CallCommand = { type: "StartTimer", timer: "duration", seconds: call.decision.maxCallSeconds };
  return [bridging, [...first, ...losers.map((leg) => hangUp(leg.channel, CAUSE.elsewhere)), duration]];
}

function firstOf(call: Bridging, media: string | null): readonly CallCommand[] {
  return media === null ? connect(call) : whisper(call.winner, media);
}

/** Nobody has rung, so that there is no bridge yet. The answer goes first, it is what the caller waits for. */
function withBridge(call: Bridging, media: string | null): readonly CallCommand[] {
  if (media !== null) return [{ type: "Ring", channel: call.inbound.channel }, ...whisper(call.winner, media), ...prepareBridge(call)];
  if (call.unproven) return [...prepareBridge(call), ...connect(call)];
  return [{ type: "Answer", channel: call.inbound.channel }, createBridge(call), joinWithCaller(call)];
}

export function joinWithCaller(call: Bridging): CallCommand {
  return { type: "AddToBridge", bridge: call.bridge, channel: call.winner, caller: call.inbound.channel };
}

/** Asterisk has answered the caller and they hear each other. */
function answeredInBridge(call: Dialing, winner: string, at: Date): Stepped {
  const legs = call.legs.map((leg) => decided(leg, winner, at));
  const bridged: Bridged = { ...call, kind: "bridged", winner, answeredAt: at, bridgedAt: at, legs };
  return [bridged, [{ type: "StartTimer", timer: "duration", seconds: call.decision.maxCallSeconds }, ...save(bridged)]];
}

/** When the leg is unproven, the caller is answered after it has joined: until then somebody else can still be rung. */
export function connect(call: Bridging): readonly CallCommand[] {
  const join: CallCommand = { type: "AddToBridge", bridge: call.bridge, channel: call.winner, caller: null };
  return call.unproven ? [join, { type: "StartTimer", timer: "proof", seconds: PROOF_SECONDS }] : [{ type: "Answer", channel: call.inbound.channel }, join];
}

/** The winner has joined, so that it is there: from here on it is like any other. To join twice does no harm. */
export function proven(call: Bridging, at: Date): Stepped {
  const next: Bridging = { ...call, unproven: false, answeredAt: at };
  return [next, connect(next)];
}

/** The winner is not to be had, and nobody has answered the caller: the dialplan's default destination rings. */
export function notProven(call: Bridging, at: Date): Stepped {
  const message = "somebody answered while no router was connected to Asterisk, and was hung up before the two could be connected; the caller was given to the pool's default destination";
  return handBack(call, note(CallReason.AnsweredUnseen, message), at);
}

/** A tone has no end of its own. */
function whisper(channel: string, media: string): readonly CallCommand[] {
  const seconds = media.startsWith("tone:") ? TONE_SECONDS : WHISPER_SECONDS;
  return [
    { type: "Whisper", channel, media },
    { type: "StartTimer", timer: "whisper", seconds },
  ];
}

/** The callee knows what the call is about: now the two are connected. Also when the whisper failed, or lasts too long. */
export function endWhisper(call: Bridging, at: Date): Stepped {
  return call.whispering ? [{ ...call, whispering: false, answeredAt: call.unproven ? null : at }, connect(call)] : [call, []];
}

function decided(leg: Leg, winner: string, at: Date): Leg {
  return leg.channel === winner ? { ...leg, answeredAt: at, result: "answered" } : { ...closeLeg(leg, "cancelled", at), hungUp: true };
}

/** A leg ended before an answer. When it was the last of its group, the next group is rung, or the call ends. */
export function legFailed(call: Dialing, channel: string, hangup: HowItEnded, at: Date): Stepped {
  return advance(withLeg(call, channel, (leg) => failedLeg(leg, { ...hangup, at, timedOut: isTimeOut(call, leg, hangup, at) })), at);
}

interface HowItEnded {
  /** Q.850. */
  readonly cause: number | null;
  readonly sipStatus: number | null;
}

function failedLeg(leg: Leg, { cause, sipStatus, at, timedOut }: HowItEnded & { readonly at: Date; readonly timedOut: boolean }): Leg {
  if (timedOut) return closeLeg({ ...leg, hangupCause: CAUSE.noAnswer }, "no-answer", at);
  const result = classifyHangup({ q850: cause ?? 0, ...(sipStatus === null ? {} : { sipStatus }) });
  // Nobody of ours hung up a leg that still counts: what looks like our own cancelling came from the network.
  return closeLeg(leg, result === "cancelled" ? "unreachable" : result, at);
}

/** Asterisk (22.10) ends an early leg at its time limit without a cause. */
function isTimeOut({ decision, group }: Dialing, leg: Leg, { cause, sipStatus }: HowItEnded, at: Date): boolean {
  const { ringTimeoutSeconds = 0 } = decision.groups[group]?.[0] ?? {};
  return leg.early && leg.dialled && (cause ?? 0) === 0 && sipStatus === null && at.getTime() - leg.startedAt.getTime() >= ringTimeoutSeconds * 1000;
}

/** Nobody of the group answered in time, and Asterisk did not say so either. */
export function ringTimeout(call: Dialing, at: Date): Stepped {
  const ringing = call.legs.filter(isRinging);
  const given = { ...call, legs: call.legs.map((leg) => (isRinging(leg) ? { ...closeLeg(leg, "no-answer", at), hangupCause: CAUSE.noAnswer, hungUp: true } : leg)) };
  const [next, commands] = advance(given, at);
  return [next, [...ringing.map((leg) => hangUp(leg.channel, CAUSE.noAnswer)), ...commands]];
}

function advance(call: Dialing, at: Date): Stepped {
  const group = call.legs.slice(-(call.decision.groups[call.group]?.length ?? 0));
  const results = group.flatMap((leg) => (leg.result === null ? [] : [leg.result]));
  if (results.length < group.length) {
    return [call, []];
  }
  const result = groupResult(results);
  if (call.decision.whenFull !== null && call.legs.every(({ full }) => full) && call.group + 1 === call.decision.groups.length) {
    return ringDefault(call, call.decision.whenFull, at);
  }
  const next = nextStep(call.decision, call.group, result);
  return next.type === "ring" ? dialGroup(call, call.decision, next.group, at) : endCall(call, { end: next.end, cause: causeOf(next.end, result, { group, all: call.legs }) }, at);
}

/** Other calls took the last seats after the decision: what `route` would have decided a moment later is done now. */
function ringDefault(call: Dialing, attempt: Attempt, at: Date): Stepped {
  const { decision } = call;
  const message = `all ${call.legs.length} destinations were at their limit when they were to be called: the pool's default destination ${attempt.destination} is called`;
  const full = { rule: decision.rule, matched: true, reason: CallReason.AllDestinationsFull, message };
  const next: RouteDecision = { ...decision, ...fallback, groups: [...decision.groups, [attempt]] };
  return dialGroup({ ...call, notes: [...call.notes, full] }, next, call.group + 1, at);
}

/** They say more about a refusal than "rejected". */
const TELLING_CAUSES: readonly number[] = [CAUSE.unallocated, CAUSE.changed, CAUSE.malformed];

/**
 * What the caller's side is told, as a Q.850 cause: 486, 480, 503, and for a refusal 403 or what the far end said (404, 410, 484). A destination that can't be reached is 480 and
 * no 5xx, upon which carriers try another way to us and ring everybody again; 503 is for calls for which nobody was there to be rung.
 */
function causeOf(end: CallEnd, result: LegResult, { group, all }: { readonly group: readonly Leg[]; readonly all: readonly Leg[] }): number {
  const told = group.find((leg) => leg.result === "declined" && TELLING_CAUSES.includes(leg.hangupCause ?? 0))?.hangupCause;
  const causes: Partial<Record<CallEnd, number>> = {
    busy: CAUSE.busy,
    "no-answer": CAUSE.noAnswer,
    unreachable: CAUSE.absent,
    declined: told ?? CAUSE.rejected,
    congestion: all.every((leg) => leg.result === "congestion") ? CAUSE.congestion : CAUSE.absent,
  };
  return causes[end] ?? (result === "cancelled" ? CAUSE.normal : CAUSE.failure);
}
