/** Why a rule decided as it did: every `reason` of a `Why`. They are API: people and reports filter by them. */
export const RouteReason = {
  /** The rule matched; its destinations are rung. */
  Matched: "Matched",
  /** The rule wants certain callers, and this one hides the number. */
  CallerWithheld: "CallerWithheld",
  /** The caller's number begins with none of the prefixes. */
  CallerPrefixDiffers: "CallerPrefixDiffers",
  /** None of the weekly windows holds now. */
  OutsideSchedule: "OutsideSchedule",
  /** Today is an exception date and none of its windows holds now. */
  ExceptionDate: "ExceptionDate",
  /** The time zone database of this machine lacks the rule's zone. */
  UnknownTimeZone: "UnknownTimeZone",
  /** The rule asks about the session, and no prospect is known. */
  NoProspect: "NoProspect",
  /** The prospect was shown the number with none of the media elements. */
  MediaElementDiffers: "MediaElementDiffers",
  /** The session has no attribute of that name. */
  AttributeMissing: "AttributeMissing",
  /** The session's attribute has another value. */
  AttributeDiffers: "AttributeDiffers",
  /** The rule wants repeat callers only. */
  FirstTimeCaller: "FirstTimeCaller",
  /** The rule wants first-time callers only. */
  RepeatCaller: "RepeatCaller",
  /** The call is attributed otherwise. */
  AttributionDiffers: "AttributionDiffers",
  /** A destination of the matching rule is at its limit of calls and was passed over. */
  DestinationFull: "DestinationFull",
  /** All destinations of the matching rule are at their limit: the pool's default destination takes the call. */
  AllDestinationsFull: "AllDestinationsFull",
  /** The destination that answered this caller last is rung first. */
  StickyCaller: "StickyCaller",
  /** No rule takes the call: it goes to the pool's default destination. */
  DefaultDestination: "DefaultDestination",
  /** The pool refuses this caller. */
  CallerBlocked: "CallerBlocked",
  /** More rules were asked than are listed; none of them matched. */
  MoreRulesDiffer: "MoreRulesDiffer",
  /** Only in explanations: the call was decided before the rule's turn. */
  NotAsked: "NotAsked",
} as const;

export type RouteReason = (typeof RouteReason)[keyof typeof RouteReason];
