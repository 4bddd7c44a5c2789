import type { Condition, TrunkReachability } from "./api.generated.ts";
import { poolConditions, rulePoolStatuses, ruleConditions, trunkConditions, type Programming } from "./conditions-kinds.ts";
import { Memo } from "./memo.ts";
import type { PodReport, PoolTotals } from "./ports.ts";
import type { AnyResource, NumberPool, RoutingRule, SipTrunk } from "./resources.ts";
import { RolloutHistory, type Rolled } from "./rollout-history.ts";
import { nameOf } from "./seniority.ts";
import { Shared } from "./shared-values.ts";
import { sizeForDemand } from "./sizing.ts";
import type { ResourceKey } from "./types.ts";
import type { World } from "./world.ts";
import { keyOf } from "./world/objects.ts";
import type { PoolVerdict, RuleVerdict, TrunkVerdict } from "./world/verdicts.ts";

/** One object and what is observed of it, as `kubectl get -o yaml` would show it. */
export type ResourceStatus = AnyResource & { readonly status: { readonly conditions: readonly Condition[] } };

export interface StatusInput {
  readonly resources: readonly AnyResource[];
  readonly world: World;
  readonly pods: readonly PodReport[];
  /** What was written; what the world asks for as long as that isn't known. Pods are held to what is known. */
  readonly written?: WrittenState;
  readonly totals: Readonly<Record<ResourceKey, PoolTotals>>;
  readonly previous: readonly ResourceStatus[];
  readonly now: Date;
}

export interface WrittenState {
  /** Hash of the dialplan, numbers that retire included. */
  readonly dialplan: string;
  /** Of the database. */
  readonly routing: number;
  /** Counts the histories of the database: when it lost revisions another one begins, in which numbers come again. */
  readonly history: number;
  /** Of the trunks' file; null when it could not be written. */
  readonly trunks: string | null;
  /** Why the trunks could not be brought on their way. */
  readonly trunksError: string | null;
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
  #history = new RolloutHistory();
  #histories = 0;
  readonly #shared = new Shared();

  /** @param recorded what was said of an object before it was seen here: its transition times go on */
  constructor(recorded: (resource: AnyResource) => ResourceStatus | undefined = () => undefined) {
    this.#recorded = recorded;
  }

  observe({ resources, world, pods, written, totals, now }: Observed): readonly ResourceStatus[] {
    const { pools, rules, trunks } = world.verdicts;
    const rolled: Rolled = { dialplan: written?.dialplan ?? world.desired.dialplan([]).hash, routing: written?.routing ?? null, trunks: written?.trunks ?? null };
    this.#begin(written?.history ?? this.#histories);
    const presences = [...trunks.values()].map(({ presence }) => presence);
    for (const objects of [presences, pools.values(), rules.values(), trunks.values()]) this.#history.note(rolled, objects);
    const programmings = new Programmings(this.#history, pods, written?.trunksError ?? null);
    const statuses = resources.map((resource) => {
      const programming = programmings.of(verdictOf(resource, world));
      const numbers = resource.kind === "NumberPool" ? totals[keyOf(resource)] : undefined;
      const reachability = resource.kind === "SipTrunk" ? reachabilityOf(keyOf(resource), pods) : [];
      const { revision, readyPods, error, behind = [], withTrunks } = programming;
      const states = reachability.flatMap(({ pod, state, registration }) => [pod, state, registration]);
      const inputs = [resource, verdictOf(resource, world), revision, readyPods, pods.length, error, behind.join(), withTrunks, ...countsOf(numbers), ...states];
      return this.#memo.value(resource.metadata.uid, inputs, (previous) => {
        const said = statusOf(resource, { world, numbers, reachability }, { now, programming, before: previous ?? this.#recorded(resource) });
        return { ...said, status: this.#shared.of(said.status) };
      });
    });
    this.#memo.nextRound();
    return statuses;
  }

  /** Of revisions that are lost no pod can say that it has a later one. */
  #begin(history: number): void {
    if (history !== this.#histories) this.#history = new RolloutHistory();
    this.#histories = history;
  }
}

/** Pods that ask the carrier with OPTIONS or register with it. */
function reachabilityOf(trunk: ResourceKey, pods: readonly PodReport[]): readonly TrunkReachability[] {
  return pods
    .flatMap(({ pod, trunks }) => {
      const [state, registration] = [trunks?.reachability[trunk], trunks?.registrations?.[trunk]];
      if (state === undefined && registration === undefined) return [];
      return [{ pod, state: state ?? ("Unknown" as const), ...(registration === undefined ? {} : { registration }) }];
    })
    .slice(0, MOST_PODS);
}

/** The limit of the schema. */
const MOST_PODS = 1_000;

/** For comparing. */
function countsOf(numbers: PoolTotals | undefined): readonly (number | undefined)[] {
  if (numbers === undefined) return [];
  const { total, leased, coolingDown, available, retiring, demand } = numbers;
  return [total, leased, coolingDown, available, retiring, demand?.arrivalsPerHour, demand?.visitSeconds];
}

/** What a pod has to have. */
interface Needs {
  /** Dialplan and rules of then or later. */
  readonly since: Rolled | null;
  /** Trunks of then or later; null: none. */
  readonly trunks: Rolled | null;
  /** Of a trunk itself. */
  readonly isTrunk: boolean;
}

/** Most objects share what can be said of their programming: it is worked out once for each pair of revisions. */
class Programmings {
  readonly #history: RolloutHistory;
  readonly #pods: readonly PodReport[];
  readonly #trunksError: string | null;
  readonly #known = { trunks: new Map<Rolled | null, Map<Rolled | null, Programming>>(), others: new Map<Rolled | null, Map<Rolled | null, Programming>>() };

  constructor(history: RolloutHistory, pods: readonly PodReport[], trunksError: string | null) {
    this.#history = history;
    this.#pods = pods;
    this.#trunksError = trunksError;
  }

  /** A pool or a rule needs the dialplan, the router's rules, and in Asterisk's PJSIP the trunks that it names; a trunk needs itself there. */
  of(verdict: AnyVerdict | undefined): Programming {
    const since = this.#history.since(verdict);
    if (verdict === undefined || !("trunks" in verdict)) return this.#once({ since, trunks: since, isTrunk: true });
    return this.#once({ since, trunks: this.#history.sinceAll(verdict.trunks), isTrunk: false });
  }

  #once(needs: Needs): Programming {
    const all = needs.isTrunk ? this.#known.trunks : this.#known.others;
    const ofSince = all.get(needs.since) ?? new Map<Rolled | null, Programming>();
    const known = ofSince.get(needs.trunks) ?? this.#make(needs);
    all.set(needs.since, ofSince.set(needs.trunks, known));
    return known;
  }

  #make({ since, trunks, isTrunk }: Needs): Programming {
    const routes = (pod: PodReport) => since !== null && this.#history.routes(pod, since);
    const hasTrunks = (pod: PodReport) => trunks === null || this.#history.hasTrunks(pod, trunks);
    const behind = this.#pods.filter((pod) => !routes(pod) || !hasTrunks(pod));
    const errors = behind.flatMap((pod) => {
      const said = (hasTrunks(pod) ? null : pod.trunks?.error) ?? pod.error;
      return said === null ? [] : [`${pod.pod}: ${said}`];
    });
    // What the pods have of older trunks they keep, and with it the pools of those.
    const unwritten = isTrunk || trunks?.trunks === null ? this.#trunksError : null;
    return {
      revision: since?.dialplan ?? null,
      readyPods: this.#pods.length - behind.length,
      pods: this.#pods.length,
      error: unwritten ?? errorOf(errors),
      behind: behind.map(({ pod }) => pod),
      withTrunks: !isTrunk && behind.some((pod) => routes(pod)),
    };
  }
}

/** The first pod's own words: mostly all fail for the same reason. */
function errorOf(errors: readonly string[]): string | null {
  const [first] = errors;
  if (first === undefined) return null;
  return errors.length === 1 ? first : `${first} (and ${errors.length - 1} more)`;
}

type AnyVerdict = PoolVerdict | RuleVerdict | TrunkVerdict;

function verdictOf(resource: AnyResource, { verdicts }: World): AnyVerdict | undefined {
  const ofKind = { NumberPool: verdicts.pools, RoutingRule: verdicts.rules, SipTrunk: verdicts.trunks }[resource.kind];
  return ofKind.get(keyOf(resource));
}

interface Observation {
  readonly world: World;
  readonly numbers: PoolTotals | undefined;
  readonly reachability: readonly TrunkReachability[];
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
    status: {
      observedGeneration: common.generation,
      conditions: ruleConditions(facts),
      poolSummary: summaryOf(verdict.pools),
      pools: rulePoolStatuses(facts, previousPools),
    },
  };
}

/** Three names of at most 63 characters fit the schema's limit. */
function summaryOf(pools: RuleVerdict["pools"]): string {
  const more = pools.length > 3 ? ` and ${pools.length - 3} more` : "";
  return `${pools.slice(0, 3).map(({ key }) => nameOf(key)).join(", ")}${more}`;
}

function trunkStatus(trunk: SipTrunk, { world, reachability }: Observation, common: Common): ResourceStatus {
  const verdict = world.verdicts.trunks.get(keyOf(trunk));
  if (verdict === undefined) return { ...trunk, status: { conditions: common.previous } };
  const registrations = trunk.spec.registration === "Enabled" ? reachability.flatMap(({ registration = [] }) => registration) : null;
  const conditions = trunkConditions({ ...common, ...verdict, reachability: reachability.map(({ state }) => state), registrations });
  return { ...trunk, status: { observedGeneration: common.generation, conditions, ...(reachability.length === 0 ? {} : { reachability }) } };
}
