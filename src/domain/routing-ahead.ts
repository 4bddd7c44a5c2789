import { route } from "./routing.ts";
import type { PoolEntry, RuleEntry } from "./ports.ts";
import type { CallContext, CallFacts, RouteDecision } from "./types.ts";

/** Thrown when a rule asks for something that only the database knows. One for all: it is no fault, and no stack is looked at. */
const NOT_KNOWN_YET = new Error("the database was not asked yet");

/** Whoever reads any of it learns that the decision has to wait; also a member that comes to be later. */
const UNKNOWN = new Proxy({} as CallContext, {
  get: () => {
    throw NOT_KNOWN_YET;
  },
});

/**
 * Decides by what the call itself tells, before anybody knows who calls: the same decision as `route` makes with any context.
 *
 * @returns undefined when a rule that was asked wants to know more
 * @throws what `route` throws
 */
export function routeAhead(facts: Omit<CallFacts, "context">, pool: PoolEntry, rules: readonly RuleEntry[]): RouteDecision | undefined {
  try {
    return route({ ...facts, context: UNKNOWN }, pool, rules);
  } catch (error) {
    if (error === NOT_KNOWN_YET) return undefined;
    throw error;
  }
}
