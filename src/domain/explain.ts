import type { Attempt, RouteDecision, Why } from "./types.ts";

/** The answer to "why did this call go there?" for `dialplane explain`, one line each. */
export function explainDecision(decision: RouteDecision): readonly string[] {
  return [...decision.why.map(explainWhy), ...(decision.outcome === "refuse" ? ["=> the call is refused"] : decision.groups.map(explainGroup))];
}

function explainWhy(why: Why): string {
  return `${why.matched ? "+" : "-"} ${why.rule ?? "pool"}: ${why.reason}: ${why.message}`;
}

function explainGroup(group: readonly Attempt[], index: number): string {
  const legs = group.map((leg) => `${leg.name} (${leg.destination} through ${leg.trunk}, ${leg.ringTimeoutSeconds} s)`);
  return `=> ${index + 1}. ring ${legs.join(" and ")}`;
}
