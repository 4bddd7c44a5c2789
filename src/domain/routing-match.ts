import type { AttributeMatch, RoutingRuleMatch } from "./api.generated.ts";
import { maskCaller } from "./e164.ts";
import { CallReason } from "./call-reasons.ts";
import { matchSchedule, validTimeZone } from "./schedule.ts";
import type { CallFacts } from "./types.ts";

/** Why a rule does not match. Messages carry the values that decided; callers' numbers are masked. */
export interface Mismatch {
  readonly reason: CallReason;
  readonly message: string;
}

type Matcher = (match: RoutingRuleMatch, facts: CallFacts) => Mismatch | null;

/** All must hold; cheapest first. The first that does not is the answer. */
const MATCHERS: readonly Matcher[] = [callers, attribution, repeatCaller, mediaElements, attributes, schedule];

/** Null: the rule matches. */
export function mismatch(match: RoutingRuleMatch, facts: CallFacts): Mismatch | null {
  for (const matcher of MATCHERS) {
    const found = matcher(match, facts);
    if (found !== null) return found;
  }
  return null;
}

/** The prefix that fits the caller; undefined if none or withheld. */
export function callerPrefix(prefixes: readonly string[], caller: string | null): string | undefined {
  return caller === null ? undefined : prefixes.find((prefix) => caller.startsWith(prefix));
}

function callers(match: RoutingRuleMatch, facts: CallFacts): Mismatch | null {
  if (match.callers === undefined) return null;
  if (facts.caller === null) return { reason: CallReason.CallerWithheld, message: "the caller withholds the number" };
  if (callerPrefix(match.callers, facts.caller) !== undefined) return null;
  const message = `caller ${maskCaller(facts.caller)} begins with ${noneOf(match.callers)}`;
  return { reason: CallReason.CallerPrefixDiffers, message };
}

function schedule(match: RoutingRuleMatch, facts: CallFacts): Mismatch | null {
  if (match.schedule === undefined) return null;
  const { timeZone } = match.schedule;
  // Validated elsewhere, perhaps with a newer time zone database: that must cost the rule, not the call.
  if (!validTimeZone(timeZone)) return { reason: CallReason.UnknownTimeZone, message: `this router does not know the time zone ${timeZone}` };
  const { holds, clock, exception } = matchSchedule(match.schedule, facts.at);
  if (holds) return null;
  const now = `${clock.weekday} ${clock.date} ${clock.time} in ${timeZone}`;
  if (exception) return { reason: CallReason.ExceptionDate, message: `${now} is an exception date and outside its windows` };
  return { reason: CallReason.OutsideSchedule, message: `${now} is outside the weekly windows` };
}

function mediaElements(match: RoutingRuleMatch, facts: CallFacts): Mismatch | null {
  if (match.mediaElements === undefined) return null;
  const { prospect, mediaElements: shown } = facts.context;
  if (prospect === null) return noProspect("media elements");
  const wanted = match.mediaElements;
  if (shown.some((element) => wanted.includes(element))) return null;
  const message = `the number was shown with ${shown.length === 0 ? "no media element" : list(shown)}, not with any of ${list(wanted)}`;
  return { reason: CallReason.MediaElementDiffers, message };
}

function attributes(match: RoutingRuleMatch, facts: CallFacts): Mismatch | null {
  if (match.attributes === undefined) return null;
  if (facts.context.prospect === null) return noProspect("session attributes");
  for (const wanted of match.attributes) {
    const found = attributeMismatch(wanted, facts.context.attributes);
    if (found !== null) return found;
  }
  return null;
}

/** Null: the condition holds. */
export function attributeMismatch(wanted: AttributeMatch, session: Readonly<Record<string, string>>): Mismatch | null {
  const value = Object.hasOwn(session, wanted.name) ? session[wanted.name] : undefined;
  if (value === undefined) return { reason: CallReason.AttributeMissing, message: `the session has no attribute ${wanted.name}` };
  const expected = wanted.value ?? "";
  const holds = wanted.type === "Exists" || (wanted.type === "Prefix" ? value.startsWith(expected) : value === expected);
  if (holds) return null;
  const relation = wanted.type === "Prefix" ? "does not begin with" : "is not";
  return { reason: CallReason.AttributeDiffers, message: `attribute ${wanted.name} ${quoted(value)} ${relation} ${quoted(expected)}` };
}

function repeatCaller(match: RoutingRuleMatch, facts: CallFacts): Mismatch | null {
  if (match.repeatCaller === "Only" && !facts.context.repeatCaller) {
    return { reason: CallReason.FirstTimeCaller, message: "the rule wants callers who had an answered call to this pool before; this one is not known to have had one" };
  }
  if (match.repeatCaller === "Never" && facts.context.repeatCaller) {
    return { reason: CallReason.RepeatCaller, message: "the rule wants callers without an answered call to this pool before; this one had one" };
  }
  return null;
}

function attribution(match: RoutingRuleMatch, facts: CallFacts): Mismatch | null {
  if (match.attribution === undefined) return null;
  const actual = facts.context.attribution;
  if (match.attribution.some((wanted) => wanted.toLowerCase() === actual)) return null;
  return { reason: CallReason.AttributionDiffers, message: `the call's attribution is ${actual}, none of ${list(match.attribution)}` };
}

function noProspect(asked: string): Mismatch {
  return { reason: CallReason.NoProspect, message: `the rule asks about ${asked}, and no prospect is known for this call` };
}

function noneOf(prefixes: readonly string[]): string {
  return prefixes.length === 1 ? `other digits than ${list(prefixes)}` : `none of ${list(prefixes)}`;
}

/** At most five are named. */
function list(values: readonly string[]): string {
  const more = values.length - 5;
  return `${values.slice(0, 5).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Session attributes come from web pages: control characters escaped, bounded. */
function quoted(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
}
