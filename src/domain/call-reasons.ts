/** Every reason that a call record gives for what became of the call, and of whom it is said. They are API: people and reports filter by them. */
export const CallReason = {
  /** A rule that matched: its destinations are rung; the message has their order. */
  Matched: "Matched",
  /** A rule that did not match: it wants certain callers, and this one hides the number. */
  CallerWithheld: "CallerWithheld",
  /** A rule that did not match: the caller's number begins with none of the prefixes. */
  CallerPrefixDiffers: "CallerPrefixDiffers",
  /** A rule that did not match: none of the weekly windows holds now. */
  OutsideSchedule: "OutsideSchedule",
  /** A rule that did not match: today is an exception date and none of its windows holds now. */
  ExceptionDate: "ExceptionDate",
  /** A rule that did not match: the time zone database of the router's machine lacks the rule's zone. */
  UnknownTimeZone: "UnknownTimeZone",
  /** A rule that did not match: it asks about the session, and no prospect is known. */
  NoProspect: "NoProspect",
  /** A rule that did not match: the prospect was shown the number with none of the media elements. */
  MediaElementDiffers: "MediaElementDiffers",
  /** A rule that did not match: the session has no attribute of that name. */
  AttributeMissing: "AttributeMissing",
  /** A rule that did not match: the session's attribute has another value. */
  AttributeDiffers: "AttributeDiffers",
  /** A rule that did not match: it wants repeat callers only. */
  FirstTimeCaller: "FirstTimeCaller",
  /** A rule that did not match: it wants first-time callers only. */
  RepeatCaller: "RepeatCaller",
  /** A rule that did not match: the call is attributed otherwise. */
  AttributionDiffers: "AttributionDiffers",
  /** A rule that matched: one of its destinations is at its limit of calls and was passed over. */
  DestinationFull: "DestinationFull",
  /** A rule that matched: all its destinations are at their limit, so the pool's default destination takes the call. */
  AllDestinationsFull: "AllDestinationsFull",
  /** A rule that matched: the destination that answered this caller last is rung first. */
  StickyCaller: "StickyCaller",
  /** The pool: no rule takes the call, so it goes to the default destination. */
  DefaultDestination: "DefaultDestination",
  /** The pool: it refuses this caller. */
  CallerBlocked: "CallerBlocked",
  /** The pool: more of its rules were asked than are listed; none of them matched. */
  MoreRulesDiffer: "MoreRulesDiffer",
  /** Only in explanations: the call was decided before the rule's turn. */
  NotAsked: "NotAsked",
  /** The router: it does not know the pool (yet), so the dialplan rang the pool's default destination. */
  PoolUnknown: "PoolUnknown",
  /** The router: the rules could not be asked, so the dialplan rang the pool's default destination; the message has the error. */
  DecisionFailed: "DecisionFailed",
  /** The router: it did not decide in time, so the dialplan rang the pool's default destination. */
  DecisionTimeout: "DecisionTimeout",
  /** The router: it was stopped before anybody answered, and gave the caller to the pool's default destination. */
  RouterStopped: "RouterStopped",
  /** The router: Asterisk did not bring the two parties together. A caller who was not answered yet was given to the pool's default destination. */
  BridgeFailed: "BridgeFailed",
  /** The router: somebody answered while no router was connected to Asterisk and was hung up, so the caller was given to the pool's default destination. */
  AnsweredUnseen: "AnsweredUnseen",
  /** The router: the ringing ended while it was cut off from Asterisk, so the caller was given to the pool's default destination. */
  LegsUnseen: "LegsUnseen",
  /** The router: Asterisk was restarted during the call, which was cut. */
  AsteriskRestarted: "AsteriskRestarted",
  /** The router: it was restarted during the call and took it over. */
  RouterRestarted: "RouterRestarted",
  /** The router: the call ended while no router watched it, so that how or when it ended is not known; the message says which. */
  EndUnobserved: "EndUnobserved",
  /** The next router: the one before was restarted before anybody answered, and the caller was given to the pool's default destination. */
  HandedBack: "HandedBack",
  /** Another router: the call's pod has been silent for minutes, and when the call ended is not known. */
  PodLost: "PodLost",
  /** The dialplan: no router had the call, or it was given back, so the dialplan rang the pool's default destination. */
  ServedByDialplan: "ServedByDialplan",
} as const;

export type CallReason = (typeof CallReason)[keyof typeof CallReason];

/** A reason of a record that was read back: older and newer versions write others, which are kept as they are. Only `recordedReason` makes one. */
export type RecordedReason = CallReason | (string & { readonly __brand: "RecordedReason" });

export function recordedReason(text: string): RecordedReason {
  return text as RecordedReason;
}

/** Reasons of records that were closed afterwards; what a router saw itself is never replaced by them. */
export const AFTERWARDS: readonly RecordedReason[] = [CallReason.EndUnobserved, CallReason.HandedBack, CallReason.PodLost];

/** One line of `why` that is not about a rule. */
export function note(reason: CallReason, message: string) {
  return { rule: null, matched: false, reason, message } as const;
}
