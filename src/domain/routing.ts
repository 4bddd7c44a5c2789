import type { NumberPoolDefaultDestination, RoutingRuleCallerId, RoutingRuleDestination } from "./api.generated.ts";
import { maskCaller, maskPrefix, parseE164 } from "./e164.ts";
import type { PoolEntry, RuleEntry } from "./ports.ts";
import { callerPrefix, mismatch } from "./routing-match.ts";
import { CallReason, note } from "./call-reasons.ts";
import { inOrder } from "./routing-rules.ts";
import { isFull, ringOrder, type Candidate, type StrategyInput } from "./routing-strategy.ts";
import { namespaceOf } from "./seniority.ts";
import type { Attempt, CallFacts, ResourceKey, RouteDecision, Why } from "./types.ts";

/** The default destination is the last resort: it rings longer than any other by default. */
const DEFAULT_RING_SECONDS = 60;
/** Four hours, as the default of `maxCallSeconds`. */
export const DEFAULT_MAX_CALL_SECONDS = 14_400;
/** Call records keep the explanation: a pool with thousands of rules must not make each of them a megabyte. */
const MOST_WHY = 100;

/**
 * Where a call goes, and why. Pure: the same facts give the same answer on every pod and in `dialplane explain`.
 *
 * The pool's blocked callers are refused first. Then the rules are asked by priority (higher first; then the older; then by
 * namespace/name); the first that matches decides, later ones are not asked. If all its destinations are full, or none matches,
 * the pool's default destination is rung: a call is never passed on to a rule of lower priority only because a better one is
 * busy, since that rule may be meant for other people.
 *
 * @param rules as `rulesOf(compiled, pool)` gives them: sorted once a revision. Any other list is right too, but sorted each time.
 * @param mostWhy rules that did not match and are listed in `why`; the rest is counted
 */
export function route(facts: CallFacts, pool: PoolEntry, rules: readonly RuleEntry[], mostWhy = MOST_WHY): RouteDecision {
  const blocked = callerPrefix(pool.spec.blockedCallers ?? [], facts.caller);
  if (blocked !== undefined) return refuse(pool, facts, blocked);
  const why: Why[] = [];
  let unlisted = 0;
  for (const rule of inOrder(rules, pool.key)) {
    const difference = mismatch(rule.spec.match, facts);
    if (difference === null) return routeByRule(facts, pool, rule, counted(why, unlisted));
    if (why.length < mostWhy) why.push({ rule: rule.key, matched: false, ...difference });
    else unlisted += 1;
  }
  const message = rules.length === 0 ? "the pool has no rules" : "no rule matched";
  return routeToDefault(pool, counted(why, unlisted), message);
}

function counted(why: readonly Why[], unlisted: number): readonly Why[] {
  if (unlisted === 0) return why;
  return [...why, note(CallReason.MoreRulesDiffer, `${unlisted} more rules did not match`)];
}

function refuse(pool: PoolEntry, facts: CallFacts, prefix: string): RouteDecision {
  const message = `pool ${pool.key} refuses callers that begin with ${maskPrefix(prefix)}; this one is ${maskCaller(facts.caller)}`;
  return { ...fallback, outcome: "refuse", groups: [], why: [{ rule: null, matched: true, reason: CallReason.CallerBlocked, message }] };
}

/** What holds where no rule says otherwise. */
export const fallback = {
  outcome: "route",
  rule: null,
  stickyFirst: false,
  callerId: { type: "Tracking" },
  onBusy: "Stop",
  onNoAnswer: "Stop",
  earlyMedia: false,
  maxCallSeconds: DEFAULT_MAX_CALL_SECONDS,
  whenFull: null,
} as const satisfies Partial<RouteDecision>;

function routeToDefault(pool: PoolEntry, why: readonly Why[], because: string): RouteDecision {
  const attempt = defaultAttempt(pool);
  const message = `${because}: the pool's default destination ${attempt.destination} is called`;
  return { ...fallback, groups: [[attempt]], why: [...why, { rule: null, matched: true, reason: CallReason.DefaultDestination, message }] };
}

/** What is rung when no rule takes the call, and by the dialplan when no router does. */
export function defaultAttempt(pool: Pick<PoolEntry, "key" | "spec">): Attempt {
  const { defaultDestination, trunkRef } = pool.spec;
  return {
    name: "default",
    destination: addressOf(defaultDestination),
    trunk: `${namespaceOf(pool.key)}/${(defaultDestination.trunkRef ?? trunkRef).name}`,
    ringTimeoutSeconds: DEFAULT_RING_SECONDS,
    maxConcurrentCalls: null,
    whisper: null,
  };
}

function addressOf(destination: NumberPoolDefaultDestination | RoutingRuleDestination): string {
  return destination.number ?? destination.sipUri ?? "";
}

function routeByRule(facts: CallFacts, pool: PoolEntry, rule: RuleEntry, before: readonly Why[]): RouteDecision {
  const { spec } = rule;
  const candidates = spec.destinations.map((destination) => candidateOf(destination, facts));
  const full = candidates.filter(isFull).map((candidate) => whyFull(rule.key, candidate));
  if (full.length === candidates.length) {
    const message = `the rule matched, but all ${full.length} destinations are at their limit`;
    const all = { rule: rule.key, matched: true, reason: CallReason.AllDestinationsFull, message };
    return routeToDefault(pool, [...before, all, ...full], `all destinations of ${rule.key} are at their limit`);
  }
  // Before the turn: who calls is asked while the claim is on its way.
  const last = spec.stickyCaller === "Enabled" ? facts.context.lastAnsweredBy : null;
  const { groups, sticky } = lastAnswererFirst(ringOrder(spec.strategy, candidates, strategyInput(facts, rule.key)), last);
  const matched = { rule: rule.key, matched: true, reason: CallReason.Matched, message: describe(groups, spec.strategy) };
  return {
    outcome: "route",
    rule: rule.key,
    groups: groups.map((group) => group.map((destination) => attemptFor(destination, rule, pool))),
    stickyFirst: sticky !== null,
    callerId: callerIdOf(spec.callerId),
    onBusy: spec.onBusy,
    onNoAnswer: spec.onNoAnswer,
    earlyMedia: spec.earlyMedia === "Pass",
    maxCallSeconds: spec.maxCallSeconds,
    whenFull: defaultAttempt(pool),
    why: [...before, matched, ...full, ...(sticky === null ? [] : [whySticky(rule.key, sticky)])],
  };
}

/** A turn is looked at where a rule goes by it only: whoever asks for it counts the call. */
function strategyInput({ random, turns }: CallFacts, rule: ResourceKey): StrategyInput {
  return {
    random,
    get turn() {
      return turns[rule] ?? 0;
    },
  };
}

/** Live calls are looked at where a rule goes by them only: a decision that needs none is made before they are known. */
function candidateOf(destination: RoutingRuleDestination, { context }: CallFacts): Candidate {
  const address = addressOf(destination);
  return {
    destination,
    get live() {
      return Object.hasOwn(context.liveCalls, address) ? (context.liveCalls[address] ?? 0) : 0;
    },
  };
}

function whyFull(rule: ResourceKey, { destination, live }: Candidate): Why {
  const message = `destination ${destination.name} has ${live} calls of at most ${destination.maxConcurrentCalls ?? live}: passed over`;
  return { rule, matched: true, reason: CallReason.DestinationFull, message };
}

function whySticky(rule: ResourceKey, destination: RoutingRuleDestination): Why {
  return { rule, matched: true, reason: CallReason.StickyCaller, message: `${destination.name} answered this caller last and is rung first` };
}

type Groups = readonly (readonly RoutingRuleDestination[])[];

/** The one who knows the caller rings alone first, then the others as they would have. */
function lastAnswererFirst(order: Groups, address: string | null): { readonly groups: Groups; readonly sticky: RoutingRuleDestination | null } {
  const sticky = address === null ? undefined : order.flat().find((destination) => addressOf(destination) === address);
  if (sticky === undefined) return { groups: order, sticky: null };
  const others = order.map((group) => group.filter((destination) => destination !== sticky)).filter((group) => group.length > 0);
  return { groups: [[sticky], ...others], sticky };
}

function describe(groups: Groups, strategy: string): string {
  return `all conditions hold; ${strategy}: ${groups.map((group) => group.map((destination) => destination.name).join(" + ")).join(", then ")}`;
}

/** References stay in the namespace of the object that makes them. */
function attemptFor(destination: RoutingRuleDestination, rule: RuleEntry, pool: PoolEntry): Attempt {
  const trunk =
    destination.trunkRef === undefined
      ? `${namespaceOf(pool.key)}/${pool.spec.trunkRef.name}`
      : `${namespaceOf(rule.key)}/${destination.trunkRef.name}`;
  return {
    name: destination.name,
    destination: addressOf(destination),
    trunk,
    ringTimeoutSeconds: destination.ringTimeoutSeconds,
    maxConcurrentCalls: destination.maxConcurrentCalls ?? null,
    whisper: destination.whisper?.media ?? null,
  };
}

function callerIdOf(spec: RoutingRuleCallerId): RouteDecision["callerId"] {
  if (spec.type !== "Fixed") return { type: spec.type };
  const number = parseE164(spec.fixed?.number ?? "");
  // Without a usable number the number that was called is the one every carrier accepts.
  return number === null ? { type: "Tracking" } : { type: "Fixed", number };
}
