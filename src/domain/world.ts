import type { RoutingRuleSpec } from "./api.generated.ts";
import { circleOfPool, circlesOfRule, defaultsFrom, ownersIn, ownersOfDestinations, type OwnerOf } from "./circles.ts";
import { assertRenderable, type DialplanPool } from "./dialplan.ts";
import { ExpectedError } from "./errors.ts";
import { Memo, sameItems, StableList } from "./memo.ts";
import { resolveOwnership, sameOwnership, type Ownership } from "./ownership.ts";
import { renderPjsip } from "./pjsip.ts";
import type { Credentials, Declared, DesiredState, PoolEntry, RuleEntry, SecretFault, TrunkConfiguration, TrunkEntry } from "./ports.ts";
import { toE164Ranges } from "./ranges.ts";
import type { AnyResource, NumberPool, ResourceKind, RoutingRule, SipTrunk } from "./resources.ts";
import { dialplanFor } from "./retiring.ts";
import { attachmentsAmong } from "./routing-rules.ts";
import { namespaceOf } from "./seniority.ts";
import { resolveSources, sameConflicts, type SourceConflict } from "./sources.ts";
import type { ResourceKey } from "./types.ts";
import { fieldName, type Finding } from "./validate/finding.ts";
import { resourceFindings } from "./validate/resource.ts";

/** What was found about one object. What speaks against it is said in its conditions; it never blocks another object. */
export interface Verdict {
  readonly problems: readonly string[];
  /** Missing things as kind and key: "SipTrunk default/carrier". */
  readonly missing: readonly string[];
  /** What is declared and can't be used, likewise. */
  readonly unusable: readonly string[];
  /** What its author should know, each naming its field. Nothing of it keeps the object from being used. */
  readonly warnings: readonly string[];
}
/** One object from when a trunk comes into service until it leaves it, whatever changes of it meanwhile. */
export interface TrunkPresence {
  readonly key: ResourceKey;
}
export interface PoolVerdict extends Verdict {
  /** Those that it names and that can be used. */
  readonly trunks: readonly TrunkPresence[];
  readonly ownership: Ownership;
  /** Its numbers are handed out and its calls are routed. */
  readonly inService: boolean;
}
export interface TrunkVerdict extends Verdict {
  readonly presence: TrunkPresence;
  /** What is wrong with the Secret that it names, and what is done meanwhile; null: nothing. The trunk is in service all the same. */
  readonly secret: SecretFault | null;
  /** Trunks whose calls can't be told from this one's, and are treated otherwise. Both are in service all the same. */
  readonly sources: readonly SourceConflict[];
}
export interface RuleVerdict extends Verdict {
  /** Those that it names and that can be used. */
  readonly trunks: readonly TrunkPresence[];
  readonly pools: readonly { readonly key: ResourceKey; readonly accepted: boolean; readonly inService: boolean }[];
}

/** Everything that follows from what is declared at one moment. */
export interface World {
  readonly desired: DesiredState;
  readonly trunks: TrunkConfiguration;
  readonly verdicts: {
    readonly pools: ReadonlyMap<ResourceKey, PoolVerdict>;
    readonly rules: ReadonlyMap<ResourceKey, RuleVerdict>;
    readonly trunks: ReadonlyMap<ResourceKey, TrunkVerdict>;
  };
}

/**
 * Declared resources in; what Postgres, dialplan and trunks have to be, and a verdict for every object, out. Pure.
 * Order: trunks, then pools (they need trunks), then rules (they need both), then the dialplan of what is in service.
 */
export function compileWorld(declared: Declared): World {
  return new WorldCompiler().compile(declared);
}

/**
 * The same for a world that changes: what follows from unchanged objects alone stays the same object, down to single entries and
 * verdicts, so that nothing of it is validated, rendered, sent or compared again. Every answer is what `compileWorld` would give.
 */
export class WorldCompiler {
  readonly #memo: Memos = newMemos();

  compile(declared: Declared): World {
    const memo = this.#memo;
    const trunks = judgeTrunks(memo, only(declared.resources, "SipTrunk"), declared);
    const pools = judgePools(memo, only(declared.resources, "NumberPool"), trunks, declared);
    const rules = judgeRules(memo, only(declared.resources, "RoutingRule"), pools, trunks);
    const dialplan = memo.dialplan.value("", [pools.entries, trunks.entries], () => dialplanFor({ pools: pools.entries, trunks: trunks.entries }));
    const suspended = [...pools.suspended, ...(declared.unreadable ?? []).map(({ uid }) => uid)];
    for (const each of [memo.dialplan, memo.configuration, memo.trunk, memo.sources, memo.sharing, memo.pool, memo.rule, memo.ownership, memo.owners]) each.nextRound();
    return {
      desired: { pools: pools.entries, rules: rules.entries, trunks: trunks.entries, dialplan, suspended, leaving: declared.leaving ?? [] },
      trunks: trunks.configuration,
      verdicts: { pools: pools.verdicts, rules: rules.verdicts, trunks: trunks.verdicts },
    };
  }
}

interface Memos {
  readonly findings: WeakMap<AnyResource, Judgement>;
  readonly trunk: Memo<JudgedTrunk>;
  readonly sources: Memo<ReadonlyMap<ResourceKey, readonly SourceConflict[]>>;
  readonly sharing: Memo<JudgedTrunk>;
  readonly allTrunks: StableList<JudgedTrunk>;
  readonly trunkEntries: StableList<TrunkEntry>;
  readonly configuration: Memo<TrunkConfiguration>;
  readonly ownership: Memo<ReadonlyMap<ResourceKey, Ownership>>;
  readonly owners: Memo<OwnerOf>;
  readonly pool: Memo<JudgedPool>;
  readonly allPools: StableList<JudgedPool>;
  readonly poolEntries: StableList<DesiredPool>;
  readonly rule: Memo<JudgedRule>;
  readonly ruleEntries: StableList<RuleEntry>;
  readonly dialplan: Memo<DesiredState["dialplan"]>;
}

function newMemos(): Memos {
  return {
    findings: new WeakMap(),
    trunk: new Memo(),
    sources: new Memo(),
    sharing: new Memo(),
    allTrunks: new StableList(),
    trunkEntries: new StableList(),
    configuration: new Memo(),
    ownership: new Memo(),
    owners: new Memo(),
    pool: new Memo(),
    allPools: new StableList(),
    poolEntries: new StableList(),
    rule: new Memo(),
    ruleEntries: new StableList(),
    dialplan: new Memo(),
  };
}

function only<K extends AnyResource["kind"]>(resources: readonly AnyResource[], kind: K): Extract<AnyResource, { kind: K }>[] {
  return resources.filter((resource): resource is Extract<AnyResource, { kind: K }> => resource.kind === kind);
}

export function keyOf(resource: AnyResource): ResourceKey {
  return `${resource.metadata.namespace}/${resource.metadata.name}`;
}

/** Of one object among those of its kind. */
function identityOf(resource: AnyResource): string {
  return `${resource.metadata.uid} ${keyOf(resource)}`;
}

function entryOf(resource: AnyResource) {
  const { uid, creationTimestamp } = resource.metadata;
  return { key: keyOf(resource), uid, createdAt: new Date(creationTimestamp) };
}

// ---------------------------------------------------------------- trunks

interface JudgedTrunk {
  readonly entry: TrunkEntry;
  readonly verdict: TrunkVerdict;
}

interface JudgedTrunks {
  /** The same list as long as nothing of any trunk changed. */
  readonly all: readonly JudgedTrunk[];
  /** The ones that can be used. */
  readonly entries: readonly TrunkEntry[];
  readonly usable: ReadonlyMap<ResourceKey, TrunkEntry>;
  /** Whatever can be said of them. */
  readonly declared: ReadonlySet<ResourceKey>;
  readonly configuration: TrunkConfiguration;
  readonly verdicts: ReadonlyMap<ResourceKey, TrunkVerdict>;
}

function judgeTrunks(memo: Memos, trunks: readonly SipTrunk[], { credentials, secretFaults, unreadable }: Pick<Declared, "credentials" | "secretFaults" | "unreadable">): JudgedTrunks {
  const alone = trunks.map((trunk) => {
    const key = secretOf(trunk);
    const secret = key === null ? null : { key, known: credentials.get(key), fault: secretFaults?.get(key) };
    return memo.trunk.value(identityOf(trunk), [trunk, secret?.known, secret?.fault], (previous) => judgeTrunk(memo, trunk, secret, previous));
  });
  const entries = memo.trunkEntries.of(alone.filter(({ verdict }) => verdict.problems.length === 0).map(({ entry }) => entry));
  const judged = besideEachOther(memo, alone, entries);
  const used = [...credentials].flat();
  return {
    all: memo.allTrunks.of(judged),
    entries,
    usable: new Map(entries.map((entry) => [entry.key, entry])),
    declared: new Set([...trunks.map(keyOf), ...unreadableOf("SipTrunk", unreadable)]),
    configuration: memo.configuration.value("", [entries, ...used], () => renderPjsip({ trunks: entries, credentials })),
    verdicts: new Map(judged.map(({ entry, verdict }) => [entry.key, verdict])),
  };
}

/** Those that are there, and that nothing can be taken from. */
function unreadableOf(kind: ResourceKind, unreadable: Declared["unreadable"] = []): readonly ResourceKey[] {
  return unreadable.filter((object) => object.kind === kind).map(({ key }) => key);
}

/** What can be said of a trunk only when the others are known. */
function besideEachOther(memo: Memos, alone: readonly JudgedTrunk[], entries: readonly TrunkEntry[]): readonly JudgedTrunk[] {
  const conflicts = memo.sources.value("", [entries], (previous) => keepEqual(resolveSources(entries), previous, sameConflicts));
  return alone.map((judged) => {
    const { entry, verdict } = judged;
    const sources = conflicts.get(entry.key);
    if (sources === undefined) return judged;
    return memo.sharing.value(`${entry.uid} ${entry.key}`, [judged, sources], () => ({ entry, verdict: { ...verdict, sources } }));
  });
}

/** The Secret that a trunk names, and what is known of it. */
interface NamedSecret {
  readonly key: ResourceKey;
  readonly known: Credentials | undefined;
  readonly fault: SecretFault | undefined;
}

function judgeTrunk(memo: Memos, trunk: SipTrunk, secret: NamedSecret | null, previous: JudgedTrunk | undefined): JudgedTrunk {
  // A password that changes is nothing to pools and rules: to them it is the same trunk.
  const entry: TrunkEntry = previous?.entry.spec === trunk.spec ? previous.entry : { ...entryOf(trunk), spec: trunk.spec };
  const credentials = new Map(secret?.known === undefined ? [] : [[secret.key, secret.known]]);
  const problems = problemsOf(memo, trunk, () => renderPjsip({ trunks: [entry], credentials }));
  const presence = previous?.verdict.problems.length === 0 ? previous.verdict.presence : { key: entry.key };
  const { warnings } = findingsOf(memo, trunk);
  const fault = secret === null ? null : faultOf(secret, trunk.spec.registration);
  return { entry, verdict: { presence, problems, missing: [], unusable: [], warnings, secret: fault, sources: [] } };
}

/** Calls go on without the Secret as well as they can: who comes from the trunk's addresses needs none. */
function faultOf({ key, known, fault }: NamedSecret, registration: SipTrunk["spec"]["registration"]): SecretFault | null {
  if (fault === undefined && known !== undefined) return null;
  const { state, message } = fault ?? { state: "Absent", message: `Secret ${key} with the keys username and password does not exist` };
  const without = `without authentication${registration === "Enabled" ? " and registration" : ""}`;
  return { state, message: `${message}; meanwhile the trunk is used ${known === undefined ? without : "with the credentials that were seen last"}` };
}

function secretOf(trunk: SipTrunk): ResourceKey | null {
  const { authentication } = trunk.spec;
  return authentication === undefined ? null : `${trunk.metadata.namespace}/${authentication.secretRef.name}`;
}

/** Keys of the trunks that an object wants. */
function trunkKeys(names: readonly (string | undefined)[], namespace: string): readonly ResourceKey[] {
  return [...new Set(names.filter((name) => name !== undefined).map((name) => `${namespace}/${name}`))];
}

/** What decides about each of them, for comparing: the entry of a usable one, else whether it is declared. */
function trunkStates(keys: readonly ResourceKey[], trunks: JudgedTrunks): readonly unknown[] {
  return keys.map((key) => trunks.usable.get(key) ?? trunks.declared.has(key));
}

const NO_TRUNKS = { trunks: [], missing: [], unusable: [] } as const;

/** Of ten thousand objects most have nothing to be said of: they share one empty list. */
function joined<T>(some: readonly T[], more: readonly T[]): readonly T[] {
  if (more.length === 0) return some;
  return some.length === 0 ? more : [...some, ...more];
}

/** The trunks that are wanted, and those of them that can't be used. */
function namedTrunks(keys: readonly ResourceKey[], trunks: JudgedTrunks): Pick<PoolVerdict, "trunks" | "missing" | "unusable"> {
  if (keys.length === 0) return NO_TRUNKS;
  const lacking = keys.filter((key) => !trunks.usable.has(key));
  const [unusable, missing] = [lacking.filter((key) => trunks.declared.has(key)), lacking.filter((key) => !trunks.declared.has(key))];
  return {
    trunks: keys.filter((key) => trunks.usable.has(key)).flatMap((key) => trunks.verdicts.get(key)?.presence ?? []),
    missing: missing.map((key) => `SipTrunk ${key}`),
    unusable: unusable.map((key) => `SipTrunk ${key}`),
  };
}

// ---------------------------------------------------------------- pools

type DesiredPool = DesiredState["pools"][number];

interface JudgedPool {
  readonly entry: DesiredPool;
  readonly verdict: PoolVerdict;
}

interface JudgedPools {
  /** The same list as long as nothing of any pool changed. */
  readonly all: readonly JudgedPool[];
  readonly entries: readonly DesiredPool[];
  readonly suspended: readonly string[];
  readonly byNamespace: ReadonlyMap<string, readonly DesiredPool[]>;
  /** Declared, and nothing can be taken from them. */
  readonly unreadable: ReadonlySet<ResourceKey>;
  readonly verdicts: ReadonlyMap<ResourceKey, PoolVerdict>;
  readonly ownerOf: OwnerOf;
}

function judgePools(memo: Memos, pools: readonly NumberPool[], trunks: JudgedTrunks, { unreadable }: Pick<Declared, "unreadable">): JudgedPools {
  const ownership = memo.ownership.value("", pools, (previous) => {
    return keepEqual(resolveOwnership(pools.map((pool) => ({ ...entryOf(pool), spec: pool.spec }))), previous, sameOwnership);
  });
  const ownerOf = memo.owners.value("", [ownership], () => ownersIn(ownership));
  const defaults = new Map(pools.map((pool) => [keyOf(pool), pool.spec.defaultDestination.number]));
  const lost = new Set(unreadableOf("NumberPool", unreadable));
  const declared = new Set([...pools.map(keyOf), ...lost]);
  const judged = pools.map((pool) => {
    const owned = ownership.get(keyOf(pool)) ?? NOTHING;
    const absent = absentSources(pool, declared);
    const wanted = trunkKeys([pool.spec.trunkRef.name, pool.spec.defaultDestination.trunkRef?.name], pool.metadata.namespace);
    const met = defaultsFrom(keyOf(pool), (key) => defaults.get(key), ownerOf);
    const inputs = [pool, owned, ...trunkStates(wanted, trunks), absent.length, ...absent, ...met];
    return memo.pool.value(identityOf(pool), inputs, () => judgePool(memo, pool, owned, { wanted, trunks, absent, met }));
  });
  return {
    all: memo.allPools.of(judged),
    entries: memo.poolEntries.of(judged.filter(({ verdict }) => verdict.inService).map(({ entry }) => entry)),
    suspended: judged.filter(({ verdict }) => !verdict.inService).map(({ entry }) => entry.uid),
    byNamespace: Map.groupBy(judged.map(({ entry }) => entry), (entry) => namespaceOf(entry.key)),
    verdicts: new Map(judged.map(({ entry, verdict }) => [entry.key, verdict])),
    unreadable: lost,
    ownerOf,
  };
}

/** Pools that `sources` name and that aren't declared. */
function absentSources(pool: NumberPool, declared: ReadonlySet<ResourceKey>): readonly ResourceKey[] {
  const named = (pool.spec.sources ?? []).map(({ poolRef }) => `${pool.metadata.namespace}/${poolRef.name}`);
  return [...new Set(named)].filter((key) => !declared.has(key));
}

interface PoolSurroundings {
  readonly wanted: readonly ResourceKey[];
  readonly trunks: JudgedTrunks;
  readonly absent: readonly ResourceKey[];
  /** Pools that a call comes to which no rule takes. */
  readonly met: readonly ResourceKey[];
}

function judgePool(memo: Memos, pool: NumberPool, owned: Ownership, { wanted, trunks, absent, met }: PoolSurroundings): JudgedPool {
  const entry = { ...poolEntry(pool), generation: pool.metadata.generation, owned: toE164Ranges(owned.owned) };
  const { missing, unusable, ...named } = namedTrunks(wanted, trunks);
  const hasTrunks = missing.length === 0 && unusable.length === 0;
  const problems = problemsOf(memo, pool, hasTrunks ? () => assertRenderable(entry satisfies DialplanPool, trunks.entries) : null);
  const inService = hasTrunks && problems.length === 0;
  // A source whose pool is missing is passed over; the pool itself goes on serving.
  const lacking = [...missing, ...absent.map((key) => `NumberPool ${key}`)];
  const warnings = [...findingsOf(memo, pool).warnings, ...circleOfPool(entry.key, pool.spec.defaultDestination.number, met)];
  return { entry, verdict: { problems, missing: lacking, unusable, warnings, ownership: owned, inService, ...named } };
}

const NOTHING: Ownership = { owned: [], leasable: [], overflow: null, conflicts: [], listed: 0 };

/** What a change elsewhere did not touch stays the same object. */
function keepEqual<T>(next: ReadonlyMap<ResourceKey, T>, previous: ReadonlyMap<ResourceKey, T> | undefined, same: (a: T, b: T) => boolean): ReadonlyMap<ResourceKey, T> {
  return new Map(
    [...next].map(([key, value]) => {
      const before = previous?.get(key);
      return [key, before !== undefined && same(before, value) ? before : value];
    }),
  );
}

function poolEntry(pool: NumberPool): PoolEntry {
  return { ...entryOf(pool), labels: pool.metadata.labels ?? {}, spec: pool.spec };
}

// ---------------------------------------------------------------- rules

interface JudgedRule {
  readonly entry: RuleEntry;
  readonly verdict: RuleVerdict;
  /** Everything that it followed from. */
  readonly inputs: readonly unknown[];
}

interface JudgedRules {
  readonly entries: readonly RuleEntry[];
  readonly verdicts: ReadonlyMap<ResourceKey, RuleVerdict>;
}

/** While no pool and no trunk changed, a rule that did not change either costs one look. */
function judgeRules(memo: Memos, rules: readonly RoutingRule[], pools: JudgedPools, trunks: JudgedTrunks): JudgedRules {
  const judged = rules.map((rule) => {
    return memo.rule.value(identityOf(rule), [rule, pools.all, trunks.all], (previous) => judgeRuleAgain(memo, rule, { pools, trunks }, previous));
  });
  return {
    entries: memo.ruleEntries.of(judged.filter(isInForce).map(({ entry }) => entry)),
    verdicts: new Map(judged.map(({ entry, verdict }) => [entry.key, verdict])),
  };
}

function judgeRuleAgain(memo: Memos, rule: RoutingRule, { pools, trunks }: Pick<RuleSurroundings, "pools" | "trunks">, previous: JudgedRule | undefined): JudgedRule {
  const near = pools.byNamespace.get(rule.metadata.namespace) ?? [];
  const { attached, missing } = attachmentsAmong({ key: keyOf(rule), spec: rule.spec }, near, pools.verdicts);
  const states = missing.flatMap((key) => [key, pools.unreadable.has(key)]);
  const wanted = trunkKeys(rule.spec.destinations.map((destination) => destination.trunkRef?.name), rule.metadata.namespace);
  const owners = ownersOfDestinations(rule.spec, pools.ownerOf);
  const inputs = [rule, ...attached.flatMap((key) => [key, ...serviceOf(pools.verdicts.get(key))]), ...states, ...trunkStates(wanted, trunks), ...owners];
  if (previous !== undefined && sameItems(previous.inputs, inputs)) return previous;
  return { ...judgeRule(memo, rule, { attached, missing, wanted, owners, pools, trunks }), inputs };
}

interface RuleSurroundings {
  readonly attached: readonly ResourceKey[];
  readonly missing: readonly ResourceKey[];
  readonly wanted: readonly ResourceKey[];
  /** Whose numbers the destinations are. */
  readonly owners: readonly (ResourceKey | undefined)[];
  readonly pools: JudgedPools;
  readonly trunks: JudgedTrunks;
}

function judgeRule(memo: Memos, rule: RoutingRule, { attached, missing, wanted, owners, pools, trunks }: RuleSurroundings): Omit<JudgedRule, "inputs"> {
  const entry: RuleEntry = {
    ...entryOf(rule),
    pools: attached.filter((key) => pools.verdicts.get(key)?.inService === true),
    spec: withUsableDestinations(rule.spec, rule.metadata.namespace, trunks),
  };
  const named = namedTrunks(wanted, trunks);
  const circles = circlesOfRule(rule.spec, owners, attached);
  const verdict: RuleVerdict = {
    problems: joined(problemsOf(memo, rule, null), circles.problems),
    missing: joined(named.missing, missing.filter((key) => !pools.unreadable.has(key)).map((key) => `NumberPool ${key}`)),
    unusable: joined(named.unusable, missing.filter((key) => pools.unreadable.has(key)).map((key) => `NumberPool ${key}`)),
    trunks: named.trunks,
    warnings: joined(findingsOf(memo, rule).warnings, circles.warnings),
    pools: attached.map((key) => {
      const [inService, accepted] = serviceOf(pools.verdicts.get(key));
      return { key, accepted, inService };
    }),
  };
  return { entry, verdict };
}

/** All that a rule needs to know of a pool: whether it is in service, and whether with all of its numbers. */
function serviceOf(verdict: PoolVerdict | undefined): readonly [boolean, boolean] {
  const inService = verdict?.inService === true;
  return [inService, inService && verdict.ownership.conflicts.length === 0];
}

function isInForce({ entry, verdict }: JudgedRule): boolean {
  return verdict.problems.length === 0 && entry.pools.length > 0 && entry.spec.destinations.length > 0;
}

/** A destination whose trunk is missing is left out; the others go on serving. */
function withUsableDestinations(spec: RoutingRuleSpec, namespace: string, trunks: JudgedTrunks): RoutingRuleSpec {
  const usable = (name: string | undefined) => name === undefined || trunks.usable.has(`${namespace}/${name}`);
  const destinations = spec.destinations.filter((destination) => usable(destination.trunkRef?.name));
  return destinations.length === spec.destinations.length ? spec : { ...spec, destinations };
}

/** What no schema can know, and what can't be rendered. `render` is null when something needed for it is missing. */
function problemsOf(memo: Memos, resource: AnyResource, render: (() => unknown) | null): readonly string[] {
  const { errors } = findingsOf(memo, resource);
  if (errors.length > 0) return errors;
  return render === null ? CLEAN.errors : expectedFailure(render);
}

/** What was found about an object on its own, each naming its field. */
interface Judgement {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

function findingsOf(memo: Memos, resource: AnyResource): Judgement {
  const found = memo.findings.get(resource) ?? judgementOf(resource);
  memo.findings.set(resource, found);
  return found;
}

const CLEAN: Judgement = { errors: [], warnings: [] };

function judgementOf(resource: AnyResource): Judgement {
  const findings = resourceFindings(resource);
  if (findings.length === 0 && resource.unknownFields === undefined) return CLEAN;
  const said = (severity: Finding["severity"]) => findings.filter((finding) => finding.severity === severity).map(({ path, message }) => `${fieldName(path)}: ${message}`);
  const unknown = (resource.unknownFields ?? []).map((field) => `${field}: is not known to this release and has no effect`);
  return { errors: said("error"), warnings: [...unknown, ...said("warning")] };
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
