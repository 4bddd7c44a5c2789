import type { NumberPoolSpec, RoutingRuleSpec } from "./api.generated.ts";
import { assertRenderable, renderDialplan, type DialplanPool } from "./dialplan.ts";
import { ExpectedError } from "./errors.ts";
import { resolveOwnership, type Ownership } from "./ownership.ts";
import { renderPjsip } from "./pjsip.ts";
import type { Credentials, Declared, DesiredState, PoolEntry, RuleEntry, TrunkConfiguration, TrunkEntry } from "./ports.ts";
import { toE164Ranges } from "./ranges.ts";
import type { AnyResource, NumberPool, RoutingRule, SipTrunk } from "./resources.ts";
import { attachments } from "./routing-rules.ts";
import type { ResourceKey } from "./types.ts";
import { fieldName } from "./validate/finding.ts";
import { resourceFindings } from "./validate/resource.ts";

/** What was found about one object. What speaks against it is said in its conditions; it never blocks another object. */
export interface Verdict {
  readonly problems: readonly string[];
  /** Missing things as kind and key: "SipTrunk default/carrier". */
  readonly missing: readonly string[];
}
export interface PoolVerdict extends Verdict {
  readonly ownership: Ownership;
  /** Its numbers are handed out and its calls are routed. */
  readonly inService: boolean;
}
export interface RuleVerdict extends Verdict {
  readonly pools: readonly { readonly key: ResourceKey; readonly accepted: boolean }[];
}

/** Everything that follows from what is declared at one moment. */
export interface World {
  readonly desired: DesiredState;
  readonly trunks: TrunkConfiguration;
  readonly verdicts: {
    readonly pools: ReadonlyMap<ResourceKey, PoolVerdict>;
    readonly rules: ReadonlyMap<ResourceKey, RuleVerdict>;
    readonly trunks: ReadonlyMap<ResourceKey, Verdict>;
  };
}

/**
 * Declared resources in; what Postgres, dialplan and trunks have to be, and a verdict for every object, out. Pure.
 * Order: trunks, then pools (they need trunks), then rules (they need both), then the dialplan of what is in service.
 */
export function compileWorld(declared: Declared): World {
  const trunks = judgeTrunks(only(declared.resources, "SipTrunk"), declared.credentials);
  const pools = judgePools(only(declared.resources, "NumberPool"), trunks);
  const rules = judgeRules(only(declared.resources, "RoutingRule"), pools, trunks);
  const dialplan = renderDialplan({ pools: pools.entries, trunks: trunks.entries });
  return {
    desired: { pools: pools.entries, rules: rules.entries, trunks: trunks.entries, dialplan },
    trunks: trunks.configuration,
    verdicts: { pools: pools.verdicts, rules: rules.verdicts, trunks: trunks.verdicts },
  };
}

function only<K extends AnyResource["kind"]>(resources: readonly AnyResource[], kind: K): Extract<AnyResource, { kind: K }>[] {
  return resources.filter((resource): resource is Extract<AnyResource, { kind: K }> => resource.kind === kind);
}

export function keyOf(resource: AnyResource): ResourceKey {
  return `${resource.metadata.namespace}/${resource.metadata.name}`;
}

function entryOf(resource: AnyResource) {
  const { uid, creationTimestamp } = resource.metadata;
  return { key: keyOf(resource), uid, createdAt: new Date(creationTimestamp) };
}

// ---------------------------------------------------------------- trunks

interface JudgedTrunks {
  /** The ones that can be used. */
  readonly entries: readonly TrunkEntry[];
  readonly declared: ReadonlySet<ResourceKey>;
  readonly configuration: TrunkConfiguration;
  readonly verdicts: ReadonlyMap<ResourceKey, Verdict>;
}

function judgeTrunks(trunks: readonly SipTrunk[], credentials: ReadonlyMap<ResourceKey, Credentials>): JudgedTrunks {
  const judged = trunks.map((trunk) => {
    const entry: TrunkEntry = { ...entryOf(trunk), spec: trunk.spec };
    const secret = secretOf(trunk);
    const missing = secret === null || credentials.has(secret) ? [] : [`Secret ${secret} with the keys username and password`];
    const problems = problemsOf(trunk, missing.length > 0 ? null : () => renderPjsip({ trunks: [entry], credentials }));
    return { entry, verdict: { problems, missing } };
  });
  const entries = judged.filter(({ verdict }) => isClean(verdict)).map(({ entry }) => entry);
  const verdicts = new Map(judged.map(({ entry, verdict }) => [entry.key, verdict]));
  const configuration = renderPjsip({ trunks: entries, credentials });
  return { entries, declared: new Set(verdicts.keys()), configuration, verdicts };
}

function secretOf(trunk: SipTrunk): ResourceKey | null {
  const { authentication } = trunk.spec;
  return authentication === undefined ? null : `${trunk.metadata.namespace}/${authentication.secretRef.name}`;
}

/** Names of trunks that are wanted and can't be used, as `missing` says them. */
function missingTrunks(names: readonly (string | undefined)[], namespace: string, trunks: JudgedTrunks): string[] {
  const keys = [...new Set(names.filter((name) => name !== undefined).map((name) => `${namespace}/${name}`))];
  return keys
    .filter((key) => !trunks.entries.some((entry) => entry.key === key))
    .map((key) => (trunks.declared.has(key) ? `usable SipTrunk ${key}` : `SipTrunk ${key}`));
}

// ---------------------------------------------------------------- pools

type DesiredPool = DesiredState["pools"][number];

interface JudgedPools {
  readonly entries: readonly DesiredPool[];
  readonly labels: readonly Pick<PoolEntry, "key" | "labels">[];
  readonly verdicts: ReadonlyMap<ResourceKey, PoolVerdict>;
}

function judgePools(pools: readonly NumberPool[], trunks: JudgedTrunks): JudgedPools {
  const ownership = resolveOwnership(pools.map((pool) => ({ ...entryOf(pool), spec: pool.spec })));
  const judged = pools.map((pool) => {
    const owned = ownership.get(keyOf(pool)) ?? NOTHING;
    const entry = { ...poolEntry(pool), generation: pool.metadata.generation, owned: toE164Ranges(owned.owned) };
    const missing = missingTrunks(trunkNamesOf(pool.spec), pool.metadata.namespace, trunks);
    const problems = problemsOf(pool, missing.length > 0 ? null : () => assertRenderable(entry satisfies DialplanPool, trunks.entries));
    const inService = missing.length === 0 && problems.length === 0;
    return { entry, verdict: { problems, missing, ownership: owned, inService } };
  });
  return {
    entries: judged.filter(({ verdict }) => verdict.inService).map(({ entry }) => entry),
    labels: judged.map(({ entry }) => entry),
    verdicts: new Map(judged.map(({ entry, verdict }) => [entry.key, verdict])),
  };
}

const NOTHING: Ownership = { owned: [], leasable: [], overflow: null, conflicts: [], listed: 0 };

function poolEntry(pool: NumberPool): PoolEntry {
  return { ...entryOf(pool), labels: pool.metadata.labels ?? {}, spec: pool.spec };
}

function trunkNamesOf(spec: NumberPoolSpec): (string | undefined)[] {
  return [spec.trunkRef.name, spec.defaultDestination.trunkRef?.name];
}

// ---------------------------------------------------------------- rules

interface JudgedRules {
  readonly entries: readonly RuleEntry[];
  readonly verdicts: ReadonlyMap<ResourceKey, RuleVerdict>;
}

function judgeRules(rules: readonly RoutingRule[], pools: JudgedPools, trunks: JudgedTrunks): JudgedRules {
  const judged = rules.map((rule) => {
    const { attached, missing } = attachments({ key: keyOf(rule), spec: rule.spec }, pools.labels);
    const noTrunks = missingTrunks(rule.spec.destinations.map((destination) => destination.trunkRef?.name), rule.metadata.namespace, trunks);
    const entry: RuleEntry = {
      ...entryOf(rule),
      pools: attached.filter((key) => pools.verdicts.get(key)?.inService === true),
      spec: withUsableDestinations(rule.spec, rule.metadata.namespace, trunks),
    };
    const verdict: RuleVerdict = {
      problems: problemsOf(rule, null),
      missing: [...missing.map((key) => `NumberPool ${key}`), ...noTrunks],
      pools: attached.map((key) => ({ key, accepted: isWhole(pools.verdicts.get(key)) })),
    };
    return { entry, verdict };
  });
  return {
    entries: judged.filter(isInForce).map(({ entry }) => entry),
    verdicts: new Map(judged.map(({ entry, verdict }) => [entry.key, verdict])),
  };
}

function isInForce({ entry, verdict }: { readonly entry: RuleEntry; readonly verdict: Verdict }): boolean {
  return verdict.problems.length === 0 && entry.pools.length > 0 && entry.spec.destinations.length > 0;
}

/** A destination whose trunk is missing is left out; the others go on serving. */
function withUsableDestinations(spec: RoutingRuleSpec, namespace: string, trunks: JudgedTrunks): RoutingRuleSpec {
  const usable = (name: string | undefined) => name === undefined || trunks.entries.some((entry) => entry.key === `${namespace}/${name}`);
  return { ...spec, destinations: spec.destinations.filter((destination) => usable(destination.trunkRef?.name)) };
}

function isWhole(verdict: PoolVerdict | undefined): boolean {
  return verdict !== undefined && verdict.inService && verdict.ownership.conflicts.length === 0;
}

function isClean(verdict: Verdict): boolean {
  return verdict.problems.length === 0 && verdict.missing.length === 0;
}

/** What no schema can know, and what can't be rendered. `render` is null when something needed for it is missing. */
function problemsOf(resource: AnyResource, render: (() => unknown) | null): string[] {
  const errors = resourceFindings(resource).filter((finding) => finding.severity === "error");
  if (errors.length > 0) return errors.map((finding) => `${fieldName(finding.path)}: ${finding.message}`);
  return render === null ? [] : expectedFailure(render);
}

/** What an expected failure says; anything else is a bug and goes up. */
function expectedFailure(render: () => unknown): string[] {
  try {
    render();
    return [];
  } catch (error) {
    if (!(error instanceof ExpectedError)) throw error;
    return [error.message];
  }
}
