import type { PoolSelector, PoolSelectorRequirement, RoutingRuleSpec } from "./api.generated.ts";
import type { PoolEntry, RuleEntry } from "./ports.ts";
import { bySeniority, namespaceOf } from "./seniority.ts";
import type { ResourceKey } from "./types.ts";

/** A snapshot made ready for calls: sorting is paid once a revision, not once a call. */
export interface CompiledRules {
  readonly pools: ReadonlyMap<ResourceKey, PoolEntry>;
  readonly rules: ReadonlyMap<ResourceKey, readonly RuleEntry[]>;
}

/** The rules of one pool in the order they are asked; empty for a pool without rules. */
export function rulesOf(compiled: CompiledRules, pool: ResourceKey): readonly RuleEntry[] {
  return compiled.rules.get(pool) ?? NO_RULES;
}

/** Whether one of these rules goes by the calls that its destinations have. */
export function goByLiveCalls(rules: readonly RuleEntry[]): boolean {
  return rules.some(({ spec }) => spec.strategy === "LeastCalls" || spec.destinations.some(({ maxConcurrentCalls }) => maxConcurrentCalls !== undefined));
}

const NO_RULES: readonly RuleEntry[] = [];

/** Lists that `inOrder` made, so that asking again costs nothing. */
const ordered = new WeakMap<readonly RuleEntry[], ResourceKey>();

/** Rules attached to the pool: higher priority first, then the older, then by namespace/name. */
export function inOrder(rules: readonly RuleEntry[], pool: ResourceKey): readonly RuleEntry[] {
  if (rules.length === 0 || ordered.get(rules) === pool) return rules;
  const sorted = rules.filter((rule) => rule.pools.includes(pool)).sort((a, b) => b.spec.priority - a.spec.priority || bySeniority(a, b));
  ordered.set(sorted, pool);
  return sorted;
}

/** Which pools a rule is attached to, and the names it asks for in vain. Only pools of the rule's own namespace count. */
export function attachments(
  rule: { readonly key: ResourceKey; readonly spec: Pick<RoutingRuleSpec, "poolRefs" | "poolSelector"> },
  pools: readonly Pick<PoolEntry, "key" | "labels">[],
): { readonly attached: readonly ResourceKey[]; readonly missing: readonly ResourceKey[] } {
  const namespace = namespaceOf(rule.key);
  const near = pools.filter((pool) => namespaceOf(pool.key) === namespace);
  return attachmentsAmong(rule, near, new Set(near.map((pool) => pool.key)));
}

/**
 * The same for who asks for many rules.
 * @param near all pools of the rule's namespace
 * @param known their keys, and maybe those of other namespaces
 */
export function attachmentsAmong(
  rule: Parameters<typeof attachments>[0],
  near: readonly Pick<PoolEntry, "key" | "labels">[],
  known: { readonly has: (key: ResourceKey) => boolean },
): ReturnType<typeof attachments> {
  const { poolRefs, poolSelector } = rule.spec;
  if (poolSelector !== undefined) {
    return { attached: near.filter((pool) => matchesPoolSelector(poolSelector, pool.labels)).map((pool) => pool.key), missing: [] };
  }
  const namespace = namespaceOf(rule.key);
  const wanted = [...new Set((poolRefs ?? []).map((ref) => `${namespace}/${ref.name}`))];
  return { attached: wanted.filter((key) => known.has(key)), missing: wanted.filter((key) => !known.has(key)) };
}

/**
 * Kubernetes' label selector (metav1.LabelSelector): everything given must hold, an empty selector takes all.
 * `NotIn` also takes objects without the label.
 */
export function matchesPoolSelector(selector: PoolSelector, labels: Readonly<Record<string, string>>): boolean {
  const labelsMatch = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labelOf(labels, key) === value);
  return labelsMatch && (selector.matchExpressions ?? []).every((requirement) => holds(requirement, labelOf(labels, requirement.key)));
}

function labelOf(labels: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function holds(requirement: PoolSelectorRequirement, label: string | undefined): boolean {
  const listed = label !== undefined && (requirement.values ?? []).includes(label);
  switch (requirement.operator) {
    case "In":
      return listed;
    case "NotIn":
      return !listed;
    case "Exists":
      return label !== undefined;
    case "DoesNotExist":
      return label === undefined;
  }
}
