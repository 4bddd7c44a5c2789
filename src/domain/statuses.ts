import type { Condition } from "./api.generated.ts";
import { poolConditions, rulePoolStatuses, ruleConditions, trunkConditions, type Programming } from "./conditions-kinds.ts";
import { DialplanHistory } from "./dialplan-history.ts";
import { Memo } from "./memo.ts";
import type { PodReport, PoolTotals } from "./ports.ts";
import type { AnyResource, NumberPool, RoutingRule, SipTrunk } from "./resources.ts";
import { sizeForDemand } from "./sizing.ts";
import type { ResourceKey } from "./types.ts";
import { keyOf, type Verdict, type World } from "./world.ts";

/** One object and what is observed of it, as `kubectl get -o yaml` would show it. */
export type ResourceStatus = AnyResource & { readonly status: { readonly conditions: readonly Condition[] } };

export interface StatusInput {
  readonly resources: readonly AnyResource[];
  readonly world: World;
  readonly pods: readonly PodReport[];
  readonly totals: Readonly<Record<ResourceKey, PoolTotals>>;
  readonly previous: readonly ResourceStatus[];
  readonly now: Date;
}

/** The status of every declared object. Pure: the same observations give the same status, transition times included. */
export function statusesOf({ previous, ...observed }: StatusInput): readonly ResourceStatus[] {
  const before = new Map(previous.map((resource) => [resource.metadata.uid, resource]));
  return new Statuses((resource) => before.get(resource.metadata.uid)).observe(observed);
}

type Observed = Omit<StatusInput, "previous">;

/**
 * The statuses of a world that changes. The status of an object of which nothing new was observed stays the same object.
 */
export class Statuses {
  readonly #recorded: (resource: AnyResource) => ResourceStatus | undefined;
  readonly #memo = new Memo<ResourceStatus>();
  readonly #history = new DialplanHistory();

  /** @param recorded what was said of an object before it was seen here: its transition times go on */
  constructor(recorded: (resource: AnyResource) => ResourceStatus | undefined = () => undefined) {
    this.#recorded = recorded;
  }

  observe({ resources, world, pods, totals, now }: Observed): readonly ResourceStatus[] {
    const { pools, rules, trunks } = world.verdicts;
    for (const verdicts of [pools, rules, trunks]) this.#history.note(world.desired.dialplan.hash, verdicts.values());
    const programmings = new Programmings(this.#history, pods);
    const statuses = resources.map((resource) => {
      const programming = programmings.of(verdictOf(resource, world));
      const numbers = resource.kind === "NumberPool" ? totals[keyOf(resource)] : undefined;
      const { revision, readyPods, error } = programming;
      const inputs = [resource, verdictOf(resource, world), revision, readyPods, pods.length, error, ...countsOf(numbers)];
      return this.#memo.value(resource.metadata.uid, inputs, (previous) => {
        return statusOf(resource, { world, numbers }, { now, programming, before: previous ?? this.#recorded(resource) });
      });
    });
    this.#memo.nextRound();
    return statuses;
  }
}

/** For comparing. */
function countsOf(numbers: PoolTotals | undefined): readonly (number | undefined)[] {
  if (numbers === undefined) return [];
  const { total, leased, coolingDown, available, retiring, demand } = numbers;
  return [total, leased, coolingDown, available, retiring, demand?.arrivalsPerHour, demand?.visitSeconds];
}

/** Most objects share what can be said of their programming: it is worked out once a revision. */
class Programmings {
  readonly #history: DialplanHistory;
  readonly #pods: readonly PodReport[];
  readonly #known = new Map<string | null, Programming>();

  constructor(history: DialplanHistory, pods: readonly PodReport[]) {
    this.#history = history;
    this.#pods = pods;
  }

  of(verdict: object | undefined): Programming {
    const revision = this.#history.since(verdict);
    const known = this.#known.get(revision) ?? this.#make(verdict, revision);
    this.#known.set(revision, known);
    return known;
  }

  #make(verdict: object | undefined, revision: string | null): Programming {
    const behind = this.#pods.filter((pod) => !this.#history.holds(pod, verdict));
    const error = behind.find((pod) => pod.error !== null)?.error ?? null;
    return { revision, readyPods: this.#pods.length - behind.length, pods: this.#pods.length, error };
  }
}

function verdictOf(resource: AnyResource, { verdicts }: World): Verdict | undefined {
  const ofKind = { NumberPool: verdicts.pools, RoutingRule: verdicts.rules, SipTrunk: verdicts.trunks }[resource.kind];
  return ofKind.get(keyOf(resource));
}

interface Observation {
  readonly world: World;
  readonly numbers: PoolTotals | undefined;
}

interface Common {
  readonly generation: number;
  readonly now: Date;
  readonly previous: readonly Condition[];
  readonly programming: Programming;
}

interface Past {
  readonly now: Date;
  readonly programming: Programming;
  readonly before: ResourceStatus | undefined;
}

function statusOf(resource: AnyResource, observation: Observation, { now, programming, before }: Past): ResourceStatus {
  const common = { generation: resource.metadata.generation, now, programming, previous: before?.status.conditions ?? [] };
  switch (resource.kind) {
    case "NumberPool":
      return poolStatus(resource, observation, common);
    case "RoutingRule":
      return ruleStatus(resource, observation, common, before);
    case "SipTrunk":
      return trunkStatus(resource, observation, common);
  }
}

function poolStatus(pool: NumberPool, { world, numbers }: Observation, common: Common): ResourceStatus {
  const verdict = world.verdicts.pools.get(keyOf(pool));
  if (verdict === undefined) return { ...pool, status: { conditions: common.previous } };
  const { revision, readyPods, pods } = common.programming;
  const recommendedSize = sizeForDemand(numbers?.demand, pool.spec.assignment, numbers?.total ?? 0);
  return {
    ...pool,
    status: {
      observedGeneration: common.generation,
      conditions: poolConditions({ ...common, ...verdict, retiring: numbers?.retiring ?? 0 }),
      ...(numbers === undefined ? {} : { numbers: { ...withoutRetiring(numbers), utilizationPercent: utilisation(numbers) } }),
      ...(recommendedSize === null ? {} : { recommendedSize }),
      dialplan: { revision: (revision ?? "").slice(0, 12), readyPods, pods },
    },
  };
}

function withoutRetiring({ total, leased, coolingDown, available }: PoolTotals) {
  return { total, leased, coolingDown, available };
}

/** Numbers that can't be handed out now, in whole percent. */
export function utilisation({ total, available }: PoolTotals): number {
  return total === 0 ? 0 : Math.round((100 * (total - available)) / total);
}

function ruleStatus(rule: RoutingRule, { world }: Observation, common: Common, before: ResourceStatus | undefined): ResourceStatus {
  const verdict = world.verdicts.rules.get(keyOf(rule));
  if (verdict === undefined) return { ...rule, status: { conditions: common.previous } };
  const facts = { ...common, ...verdict };
  const previousPools = before?.kind === "RoutingRule" ? (before.status.pools ?? []) : [];
  return {
    ...rule,
    status: { observedGeneration: common.generation, conditions: ruleConditions(facts), pools: rulePoolStatuses(facts, previousPools) },
  };
}

function trunkStatus(trunk: SipTrunk, { world }: Observation, common: Common): ResourceStatus {
  const verdict = world.verdicts.trunks.get(keyOf(trunk));
  if (verdict === undefined) return { ...trunk, status: { conditions: common.previous } };
  const conditions = trunkConditions({ ...common, ...verdict, reachability: [] });
  return { ...trunk, status: { observedGeneration: common.generation, conditions } };
}
