import type { Condition } from "./api.generated.ts";
import { poolConditions, rulePoolStatuses, ruleConditions, trunkConditions, type Programming } from "./conditions-kinds.ts";
import type { PodReport, PoolTotals } from "./ports.ts";
import type { AnyResource, NumberPool, RoutingRule, SipTrunk } from "./resources.ts";
import type { ResourceKey } from "./types.ts";
import { keyOf, type World } from "./world.ts";

/** One object and what is observed of it, as `kubectl get -o yaml` would show it. */
export type ResourceStatus = AnyResource & { readonly status: { readonly conditions: readonly Condition[] } };

export interface StatusInput {
  readonly resources: readonly AnyResource[];
  readonly world: World;
  /** What the database says it holds: the revision the pods should run; null when nothing was applied yet. */
  readonly pods: readonly PodReport[];
  readonly totals: Readonly<Record<ResourceKey, PoolTotals>>;
  readonly previous: readonly ResourceStatus[];
  readonly now: Date;
}

/** The status of every declared object. Pure: the same observations give the same status, transition times included. */
export function statusesOf(input: StatusInput): readonly ResourceStatus[] {
  const before = new Map(input.previous.map((resource) => [resource.metadata.uid, resource]));
  const programming = programmingOf(input.world, input.pods);
  return input.resources.map((resource) => {
    const previous = before.get(resource.metadata.uid)?.status.conditions ?? [];
    const common = { generation: resource.metadata.generation, now: input.now, previous, programming };
    switch (resource.kind) {
      case "NumberPool":
        return poolStatus(resource, input, common);
      case "RoutingRule":
        return ruleStatus(resource, input, common, before.get(resource.metadata.uid));
      case "SipTrunk":
        return trunkStatus(resource, input, common);
    }
  });
}

interface Common {
  readonly generation: number;
  readonly now: Date;
  readonly previous: readonly Condition[];
  readonly programming: Programming;
}

function programmingOf(world: World, pods: readonly PodReport[]): Programming {
  const { hash } = world.desired.dialplan;
  const ready = pods.filter((pod) => pod.running === hash).length;
  const error = pods.find((pod) => pod.running !== hash && pod.error !== null)?.error ?? null;
  return { revision: hash, readyPods: ready, pods: pods.length, error };
}

function poolStatus(pool: NumberPool, { world, totals }: StatusInput, common: Common): ResourceStatus {
  const verdict = world.verdicts.pools.get(keyOf(pool));
  if (verdict === undefined) return { ...pool, status: { conditions: common.previous } };
  const numbers = totals[keyOf(pool)];
  const { revision, readyPods, pods } = common.programming;
  return {
    ...pool,
    status: {
      observedGeneration: common.generation,
      conditions: poolConditions({ ...common, ...verdict }),
      ...(numbers === undefined ? {} : { numbers: { ...withoutRetiring(numbers), utilizationPercent: utilisation(numbers) } }),
      dialplan: { revision: (revision ?? "").slice(0, 12), readyPods, pods },
    },
  };
}

function withoutRetiring({ total, leased, coolingDown, available }: PoolTotals) {
  return { total, leased, coolingDown, available };
}

/** Numbers that can't be handed out now, in whole percent. */
function utilisation({ total, available }: PoolTotals): number {
  return total === 0 ? 0 : Math.round((100 * (total - available)) / total);
}

function ruleStatus(rule: RoutingRule, { world }: StatusInput, common: Common, before: ResourceStatus | undefined): ResourceStatus {
  const verdict = world.verdicts.rules.get(keyOf(rule));
  if (verdict === undefined) return { ...rule, status: { conditions: common.previous } };
  const facts = { ...common, ...verdict };
  const previousPools = before?.kind === "RoutingRule" ? (before.status.pools ?? []) : [];
  return {
    ...rule,
    status: { observedGeneration: common.generation, conditions: ruleConditions(facts), pools: rulePoolStatuses(facts, previousPools) },
  };
}

function trunkStatus(trunk: SipTrunk, { world }: StatusInput, common: Common): ResourceStatus {
  const verdict = world.verdicts.trunks.get(keyOf(trunk));
  if (verdict === undefined) return { ...trunk, status: { conditions: common.previous } };
  const conditions = trunkConditions({ ...common, ...verdict, reachability: [] });
  return { ...trunk, status: { observedGeneration: common.generation, conditions } };
}
