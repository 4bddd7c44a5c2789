import { route } from "./routing.ts";
import type { PoolEntry, RuleEntry } from "./ports.ts";
import type { CallContext, CallFacts, ResourceKey, RouteDecision } from "./types.ts";

/** What a decision has to wait for: who calls, or how many calls a RoundRobin rule has taken before. The rule takes this one, so that it is counted. */
export type Awaited = { readonly awaits: "context" } | { readonly awaits: "turn"; readonly rule: ResourceKey };

/** Thrown when a rule asks for something that only the database knows. One for all: it is no fault, and no stack is looked at. */
const NOT_KNOWN_YET = new Error("the database was not asked yet");

/** Whoever reads any of it learns that the decision has to wait; also a member that comes to be later. */
const UNKNOWN = new Proxy({} as CallContext, {
  get: () => {
    throw NOT_KNOWN_YET;
  },
});

/**
 * Decides by what is known of the call so far: the same decision as `route` makes with any context and any turns that agree with it.
 *
 * @param facts without a context while nobody knows who calls; of `turns` those that are known
 * @returns what the first rule wants to know that can't be asked without it
 * @throws what `route` throws
 */
export function routeAhead(facts: Omit<CallFacts, "context"> & { readonly context: CallContext | null }, pool: PoolEntry, rules: readonly RuleEntry[]): RouteDecision | Awaited {
  let awaited: Awaited = { awaits: "context" };
  const turns = new Proxy(facts.turns, {
    get: (known, rule: ResourceKey) => {
      if (Object.hasOwn(known, rule)) return known[rule];
      awaited = { awaits: "turn", rule };
      throw NOT_KNOWN_YET;
    },
  });
  try {
    return route({ ...facts, context: facts.context ?? UNKNOWN, turns }, pool, rules);
  } catch (error) {
    if (error === NOT_KNOWN_YET) return awaited;
    throw error;
  }
}
