import { outgoingIdentity, type OutgoingIdentity } from "./call/caller-id.ts";
import type { PoolEntry, TrunkEntry } from "./ports.ts";
import { mismatch } from "./routing-match.ts";
import { CallReason } from "./call-reasons.ts";
import { rulesOf, type CompiledRules } from "./routing-rules.ts";
import { route } from "./routing.ts";
import type { Attempt, Attribution, CallContext, CallFacts, ResourceKey, RouteDecision, Uuid, Why } from "./types.ts";

/** The answer to "why would this call go there?". */
export interface Explanation {
  readonly facts: CallFacts;
  /** Exactly what a router decides by the same facts, with every rule in `why` that it asked. */
  readonly decision: RouteDecision;
  /** Rules of the pool that the router did not get to, in their order. */
  readonly notAsked: readonly Why[];
  /** The groups of the decision, with what each far end is shown. */
  readonly groups: readonly (readonly ExplainedLeg[])[];
}

export interface ExplainedLeg extends Attempt {
  /** null: the trunk can't be used, so this destination would be unreachable. */
  readonly identity: OutgoingIdentity | null;
}

/** What the router has in memory. */
export interface ExplainTable extends CompiledRules {
  readonly trunks: ReadonlyMap<ResourceKey, TrunkEntry>;
}

/** Asks the rules as a live call does, and keeps everything that was found on the way. */
export function explainCall(table: ExplainTable, pool: PoolEntry, facts: CallFacts): Explanation {
  const rules = rulesOf(table, pool.key);
  const decision = route(facts, pool, rules, Number.POSITIVE_INFINITY);
  const asked = new Set(decision.why.map((why) => why.rule));
  const because = decision.outcome === "refuse" ? "the caller is refused before any rule" : `${decision.rule ?? "an earlier rule"} matched first`;
  return {
    facts,
    decision,
    notAsked: rules.filter((rule) => !asked.has(rule.key)).map((rule) => ({ rule: rule.key, ...notAsked(because, mismatch(rule.spec.match, facts)) })),
    groups: decision.groups.map((group) => group.map((attempt) => ({ ...attempt, identity: identityFor(attempt, table, decision, facts) }))),
  };
}

function notAsked(because: string, difference: ReturnType<typeof mismatch>): Omit<Why, "rule"> {
  const alone = difference === null ? "alone it would match" : `alone it would not match: ${difference.reason}: ${difference.message}`;
  return { matched: false, reason: CallReason.NotAsked, message: `${because}; ${alone}` };
}

function identityFor({ trunk }: Attempt, table: ExplainTable, decision: RouteDecision, { did, caller }: CallFacts): OutgoingIdentity | null {
  const entry = table.trunks.get(trunk);
  return entry === undefined ? null : outgoingIdentity(entry.spec, decision.callerId, { did, caller });
}

// ---------------------------------------------------------------- what is assumed about the caller

/** What whoever asks wants to be assumed about a call that did not come; all of it may be left out. */
export interface Assumptions {
  readonly visitor?: Uuid | undefined;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  readonly mediaElements?: readonly string[] | undefined;
  readonly attribution?: Attribution | undefined;
  readonly repeatCaller?: boolean | undefined;
}

/** The visitor of the assumptions, as the database knows him. */
export interface ShownTo extends Pick<CallContext, "mediaElements" | "attributes"> {
  /** Another one, when it was found out that they are the same person. */
  readonly prospect: Uuid;
}

/** Stands for a visitor of whom nothing but attributes or media elements is assumed. */
export const SOMEBODY: Uuid = "00000000-0000-4000-8000-000000000000";

/**
 * Who is assumed to have been shown the number holds it, unless another attribution is assumed.
 * @param known what the database says, or `NOTHING_KNOWN` of attribution.ts
 * @param shown who the visitor of the assumptions is, and what he was shown with the number; null when nobody can be asked
 */
export function assumedContext(known: CallContext, assumed: Assumptions, shown: ShownTo | null = null): CallContext {
  const { visitor, attributes, mediaElements, attribution, repeatCaller } = assumed;
  const who = visitor === undefined ? {} : (shown ?? { prospect: visitor, mediaElements: [], attributes: {} });
  const session = { ...known, ...who };
  const prospect = session.prospect ?? (attributes !== undefined || mediaElements !== undefined ? SOMEBODY : null);
  return {
    ...session,
    prospect,
    attribution: attribution ?? (prospect === known.prospect ? known.attribution : "exclusive"),
    attributes: { ...session.attributes, ...attributes },
    mediaElements: mediaElements ?? session.mediaElements,
    repeatCaller: repeatCaller ?? known.repeatCaller,
  };
}

// ---------------------------------------------------------------- in words

/** All of it, one line each. */
export function explanationLines(explanation: Explanation): readonly string[] {
  const { facts, decision, notAsked, groups } = explanation;
  const lines = [...factLines(facts), ...decision.why.map(explainWhy), ...notAsked.map(({ rule, reason, message }) => `  ${rule ?? "pool"}: ${reason}: ${message}`)];
  if (decision.outcome === "refuse") return [...lines, REFUSED];
  const limits = `busy: ${AFTER[decision.onBusy]}; no answer: ${AFTER[decision.onNoAnswer]}; ${decision.earlyMedia ? "until then the caller hears the destination's side; " : ""}the call ends after ${decision.maxCallSeconds} s`;
  return [...lines, ...groups.flatMap((group, index) => [explainGroup(group, index), ...group.map(explainIdentity)]), limits];
}

const REFUSED = "=> the call is refused";
const AFTER = { Next: "the next destination", Stop: "the caller hears it" } as const;

function factLines({ did, pool, caller, at, context }: CallFacts): readonly string[] {
  const { attribution, prospect, mediaElements, attributes, repeatCaller } = context;
  const session = Object.entries(attributes).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [
    `a call from ${caller ?? "a withheld number"} to ${did} of pool ${pool} at ${at.toISOString()}`,
    `  attribution ${attribution}, visitor ${prospect === SOMEBODY ? "assumed" : (prospect ?? "unknown")}, ${repeatCaller ? "called before" : "first call"}`,
    `  media elements: ${mediaElements.join(", ") || "none"}; attributes: ${session.join(", ") || "none"}`,
  ];
}

function explainWhy(why: Why): string {
  return `${why.matched ? "+" : "-"} ${why.rule ?? "pool"}: ${why.reason}: ${why.message}`;
}

function explainGroup(group: readonly Attempt[], index: number): string {
  const legs = group.map((leg) => `${leg.name} (${leg.destination} through ${leg.trunk}, ${leg.ringTimeoutSeconds} s)`);
  return `=> ${index + 1}. ring ${legs.join(" and ")}`;
}

function explainIdentity({ name, trunk, identity }: ExplainedLeg): string {
  if (identity === null) return `      ${name} would be unreachable: trunk ${trunk} is not to be had`;
  const headers = Object.entries(identity.variables).map(([variable, value]) => `${headerOf(variable)}: ${value}`);
  return `      ${[`${name} is shown From: ${identity.from}`, ...headers].join(", ")}`;
}

/** `PJSIP_HEADER(add,Diversion)` -> `Diversion`. */
function headerOf(variable: string): string {
  return /^PJSIP_HEADER\(add,(.+)\)$/.exec(variable)?.[1] ?? variable;
}
