import type { RoutingRuleDestination, RoutingStrategy } from "./api.generated.ts";
import type { CallFacts } from "./types.ts";

/** In what order, and which together, destinations are rung. Groups ring one after the other, the members of one group at once. */

export interface Candidate {
  readonly destination: RoutingRuleDestination;
  /** Calls in progress at the destination. */
  readonly live: number;
}

/** Each member is read for one strategy only. */
export interface StrategyInput extends Pick<CallFacts, "random"> {
  /** How many calls the rule has taken before this one: RoundRobin. */
  readonly turn: number;
}

/**
 * @param all every destination of the rule, full ones too: round robin turns over all, so that one which is full for a moment
 *   does not shift the others' turns. Full ones are left out of the answer.
 */
export function ringOrder(
  strategy: RoutingStrategy,
  all: readonly Candidate[],
  input: StrategyInput,
): readonly (readonly RoutingRuleDestination[])[] {
  const open = all.filter((candidate) => !isFull(candidate));
  const each = (candidates: readonly Candidate[]): readonly (readonly RoutingRuleDestination[])[] =>
    candidates.map((candidate) => [candidate.destination]);
  switch (strategy) {
    case "Sequential":
      return each(open);
    case "Weighted":
      return each(drawByWeight(open, input.random, (candidate) => candidate.destination.weight));
    case "RoundRobin":
      return each(rotate(all, input.turn).filter((candidate) => !isFull(candidate)));
    case "LeastCalls":
      // The sort is stable: among equals the rule's order decides.
      return each([...open].sort((a, b) => a.live - b.live));
    case "Simultaneous":
      return open.length === 0 ? [] : [open.map((candidate) => candidate.destination)];
  }
}

/** How many calls there are is only looked at where there is a limit. */
export function isFull(candidate: Candidate): boolean {
  const { maxConcurrentCalls } = candidate.destination;
  return maxConcurrentCalls !== undefined && candidate.live >= maxConcurrentCalls;
}

/**
 * Draws all items without replacement, each with a chance in proportion to its weight, like SRV records (RFC 2782). One random number
 * serves all draws: what is left of it within the stretch of the item drawn is uniform again. With 53 bits it is exhausted after
 * about a dozen draws of equal weights; by then the order decides nothing but the last of many failovers.
 */
export function drawByWeight<T>(items: readonly T[], random: number, weightOf: (item: T) => number): readonly T[] {
  const left = [...items];
  const drawn: T[] = [];
  let point = random;
  while (left.length > 0) {
    const total = left.reduce((sum, item) => sum + weightOf(item), 0);
    const { index, rest } = locate(left.map(weightOf), point * total);
    drawn.push(...left.splice(index, 1));
    point = rest;
  }
  return drawn;
}

/** In which stretch `point` falls, and how far into it, as a share in [0, 1). */
function locate(weights: readonly number[], point: number): { readonly index: number; readonly rest: number } {
  let offset = point;
  for (const [index, weight] of weights.entries()) {
    if (offset < weight) return { index, rest: offset / weight };
    offset -= weight;
  }
  return { index: weights.length - 1, rest: 0 };
}

/** `turn` may be any integer. */
function rotate<T>(items: readonly T[], turn: number): readonly T[] {
  if (items.length === 0) return items;
  const start = ((Math.trunc(turn) % items.length) + items.length) % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
