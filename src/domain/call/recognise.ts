import { NOTHING_KNOWN } from "../attribution.ts";
import { AFTERWARDS, CallReason, note } from "../call-reasons.ts";
import type { CallContext, CallRecord, LegRecord, RouteDecision, Why } from "../types.ts";
import { save, type Stepped } from "./ending.ts";
import { NEW_LEG } from "./legs.ts";
import type { Call, Leg } from "./states.ts";

/**
 * The record of an adopted call was found: from here on the call is like one of our own, but for what its rule said about failures. Had it
 * been closed meanwhile, because its pod was silent, that was wrong.
 */
export function recognise(call: Call, record: CallRecord, at: Date): Stepped {
  if (call.origin !== null) {
    return [call, []];
  }
  const { pod, did, pool, caller, receivedAt } = record;
  const known: Call = {
    ...call,
    origin: { pod, did, pool, caller: caller as typeof did | null, receivedAt },
    context: contextOf(record),
    decision: decisionOf(record),
    // What an earlier router asked for, Asterisk may not have done: whether he was answered was seen, and the record says when.
    answeredAt: call.answeredAt && (record.answeredAt ?? call.answeredAt),
    bridgedAt: record.bridgedAt ?? call.bridgedAt,
    legs: [...record.legs.filter(({ channel }) => !call.legs.some((leg) => leg.channel === channel)).map((leg) => past(leg, at)), ...call.legs.map((leg) => present(leg, record))],
    notes: [ADOPTED, ...call.notes],
  };
  return [known, save(known)];
}

const ADOPTED = note(CallReason.RouterRestarted, "the router was restarted during the call and took it over");

/**
 * The last record of a call that ended while no router watched. `endedAt` is when that was noticed, and the reason says so.
 *
 * @param note why it ended, where that is known
 */
export function closeUnobserved(record: CallRecord, at: Date, note: Why = UNOBSERVED): CallRecord {
  return {
    ...record,
    endedAt: at,
    end: record.bridgedAt === null ? "failed" : "completed",
    legs: record.legs.map((leg) => ({ ...leg, ...(leg.endedAt === null ? { endedAt: at, result: leg.answeredAt === null ? "cancelled" : leg.result } : {}) })),
    why: [...record.why, note],
  };
}

const UNOBSERVED = note(CallReason.EndUnobserved, "the call ended while no router was running; its end was noticed afterwards");
export const POD_LOST = note(CallReason.PodLost, "the pod of the call has been silent for minutes; when the call ended is not known, and should it go on, its end is still to come");
export const HANDED_BACK = note(CallReason.HandedBack, "the router was restarted before anybody answered; the caller was given to the pool's default destination");

function contextOf({ attribution, prospect, mediaElement, attributes }: CallRecord): CallContext {
  return { ...NOTHING_KNOWN, attribution, prospect, mediaElements: mediaElement === null ? [] : [mediaElement], attributes };
}

/** Nobody is dialled any more; only the reasons are still needed. */
function decisionOf(record: CallRecord): RouteDecision {
  return { outcome: "route", rule: record.rule, groups: [], stickyFirst: false, callerId: { type: "Tracking" }, onBusy: "Stop", onNoAnswer: "Stop", earlyMedia: false, maxCallSeconds: 0, whenFull: null, why: record.why.filter(({ reason }) => !AFTERWARDS.includes(reason)) };
}

function past(leg: LegRecord, at: Date): Leg {
  return { ...NEW_LEG, ...leg, result: leg.result === "not-tried" ? "cancelled" : leg.result, endedAt: leg.endedAt ?? at, dialled: true, hungUp: true, gone: true };
}

function present(leg: Leg, record: CallRecord): Leg {
  const known = record.legs.find(({ channel }) => channel === leg.channel);
  return known === undefined ? leg : { ...leg, destination: known.destination, trunk: known.trunk, startedAt: known.startedAt, answeredAt: known.answeredAt ?? leg.answeredAt };
}
