import type { RoutingRuleSpec } from "../api.generated.ts";
import { loopsOfRule, ownersOfDestinations } from "../call-loops.ts";
import { Memo, sameItems, StableList } from "../memo.ts";
import type { Declared, RuleEntry } from "../ports.ts";
import type { RoutingRule } from "../resources.ts";
import { attachmentsAmong } from "../routing-rules.ts";
import { type DialledUri, unreachableUris, urisOfRule } from "../transports.ts";
import type { ResourceKey } from "../types.ts";
import type { Findings } from "./findings.ts";
import { namedTrunks, trunkKeys, trunkStates } from "./named-trunks.ts";
import { bothLacks, entryOf, identityOf, joined, keyOf, lackOf, lacksOf } from "./objects.ts";
import type { JudgedPools } from "./pools.ts";
import type { JudgedTrunks } from "./trunks.ts";
import type { PoolVerdict, RuleVerdict } from "./verdicts.ts";

interface JudgedRule {
  readonly entry: RuleEntry;
  readonly verdict: RuleVerdict;
  /** Everything that it followed from. */
  readonly inputs: readonly unknown[];
}

export interface JudgedRules {
  readonly entries: readonly RuleEntry[];
  readonly verdicts: ReadonlyMap<ResourceKey, RuleVerdict>;
}

/** Rules need pools and trunks. */
export class RuleJudge {
  readonly #findings: Findings;
  readonly #each = new Memo<JudgedRule>();
  readonly #entries = new StableList<RuleEntry>();
  readonly #idle = new StableList<string>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** While no pool and no trunk changed, a rule that did not change either costs one look. */
  judge(rules: readonly RoutingRule[], pools: JudgedPools, trunks: JudgedTrunks, { unreadable = [], terminating = [] }: Pick<Declared, "unreadable" | "terminating">): JudgedRules {
    // One list for all: it is compared once a pass, and not once more for each rule.
    const idle = this.#idle.of([unreadable, terminating].flatMap((objects) => ["", ...objects.flatMap(({ kind, key }) => [kind, key])]));
    const judged = rules.map((rule) => {
      return this.#each.value(identityOf(rule), [rule, pools.all, trunks.all, idle], (previous) => judgeAgain(this.#findings, rule, { pools, trunks }, previous));
    });
    return {
      entries: this.#entries.of(judged.filter(isInForce).map(({ entry }) => entry)),
      verdicts: new Map(judged.map(({ entry, verdict }) => [entry.key, verdict])),
    };
  }

  nextRound(): void {
    this.#each.nextRound();
  }
}

function judgeAgain(findings: Findings, rule: RoutingRule, { pools, trunks }: Pick<RuleSurroundings, "pools" | "trunks">, previous: JudgedRule | undefined): JudgedRule {
  const near = pools.byNamespace.get(rule.metadata.namespace) ?? [];
  const { attached, missing } = attachmentsAmong({ key: keyOf(rule), spec: rule.spec }, near, pools.verdicts);
  const states = missing.flatMap((key) => [key, lackOf(key, pools)]);
  const wanted = trunkKeys(rule.spec.destinations.map((destination) => destination.trunkRef?.name), rule.metadata.namespace);
  const owners = ownersOfDestinations(rule.spec, pools.ownerOf);
  const uris = dialledUris(rule, attached, near);
  const inputs = [rule, ...attached.flatMap((key) => [key, ...serviceOf(pools.verdicts.get(key))]), ...states, ...trunkStates(wanted, trunks), ...owners, ...uris.flatMap((uri) => trunkStates(uri.trunks, trunks))];
  if (previous !== undefined && sameItems(previous.inputs, inputs)) return previous;
  return { ...judgeRule(findings, rule, { attached, missing, wanted, owners, uris, pools, trunks }), inputs };
}

/** SIP URIs of its destinations, and through which trunks they are called. */
function dialledUris(rule: RoutingRule, attached: readonly ResourceKey[], near: JudgedPools["entries"]): readonly DialledUri[] {
  const { namespace } = rule.metadata;
  if (rule.spec.destinations.every(({ sipUri }) => sipUri === undefined)) return [];
  const isAttached = new Set(attached);
  const poolTrunks = trunkKeys(near.filter(({ key }) => isAttached.has(key)).map(({ spec }) => spec.trunkRef.name), namespace);
  return urisOfRule(rule.spec, namespace, poolTrunks);
}

interface RuleSurroundings {
  readonly attached: readonly ResourceKey[];
  readonly missing: readonly ResourceKey[];
  readonly wanted: readonly ResourceKey[];
  /** Whose numbers the destinations are. */
  readonly owners: readonly (ResourceKey | undefined)[];
  readonly uris: readonly DialledUri[];
  readonly pools: JudgedPools;
  readonly trunks: JudgedTrunks;
}

function judgeRule(findings: Findings, rule: RoutingRule, { attached, missing, wanted, owners, uris, pools, trunks }: RuleSurroundings): Omit<JudgedRule, "inputs"> {
  const entry: RuleEntry = {
    ...entryOf(rule),
    pools: attached.filter((key) => pools.verdicts.get(key)?.inService === true),
    spec: withUsableDestinations(rule.spec, rule.metadata.namespace, trunks),
  };
  const named = namedTrunks(wanted, trunks);
  const loops = loopsOfRule(rule.spec, owners, attached);
  const verdict: RuleVerdict = {
    problems: joined(findings.problems(rule, null), loops.problems),
    ...bothLacks(named, lacksOf("NumberPool", missing, pools)),
    trunks: named.trunks,
    warnings: joined(joined(findings.warnings(rule), loops.warnings), unreachableUris(uris, trunks.usable)),
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
