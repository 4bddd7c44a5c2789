import { defaultsFrom, loopOfPool, ownersIn, type OwnerOf } from "../call-loops.ts";
import { assertRenderable, type DialplanPool } from "../dialplan.ts";
import { Memo, StableList } from "../memo.ts";
import { resolveOwnership, sameOwnership, type Ownership } from "../ownership.ts";
import type { Declared, DesiredState } from "../ports.ts";
import { toE164Ranges } from "../ranges.ts";
import type { NumberPool } from "../resources.ts";
import { defaultAttempt } from "../routing.ts";
import { namespaceOf } from "../seniority.ts";
import { unreachableUris } from "../transports.ts";
import type { ResourceKey } from "../types.ts";
import type { Findings } from "./findings.ts";
import { namedTrunks, trunkKeys, trunkStates } from "./named-trunks.ts";
import { bothLacks, entryOf, identityOf, keepEqual, keyOf, lackOf, lacksOf, presenceOf, type Presence } from "./objects.ts";
import type { JudgedTrunks } from "./trunks.ts";
import type { PoolVerdict } from "./verdicts.ts";

type DesiredPool = DesiredState["pools"][number];

interface JudgedPool {
  readonly entry: DesiredPool;
  readonly verdict: PoolVerdict;
}

export interface JudgedPools extends Presence {
  /** The same list as long as nothing of any pool changed. */
  readonly all: readonly JudgedPool[];
  readonly entries: readonly DesiredPool[];
  readonly suspended: readonly string[];
  readonly byNamespace: ReadonlyMap<string, readonly DesiredPool[]>;
  readonly verdicts: ReadonlyMap<ResourceKey, PoolVerdict>;
  readonly ownerOf: OwnerOf;
}

const NOTHING: Ownership = { owned: [], leasable: [], overflow: null, conflicts: [], listed: 0 };

/** Pools need trunks, and each other: a number belongs to one of them. */
export class PoolJudge {
  readonly #findings: Findings;
  readonly #ownership = new Memo<ReadonlyMap<ResourceKey, Ownership>>();
  readonly #owners = new Memo<OwnerOf>();
  readonly #each = new Memo<JudgedPool>();
  readonly #all = new StableList<JudgedPool>();
  readonly #entries = new StableList<DesiredPool>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  judge(pools: readonly NumberPool[], trunks: JudgedTrunks, others: Pick<Declared, "unreadable" | "terminating">): JudgedPools {
    const ownership = this.#ownership.value("", pools, (previous) => {
      return keepEqual(resolveOwnership(pools.map((pool) => ({ ...entryOf(pool), spec: pool.spec }))), previous, sameOwnership);
    });
    const ownerOf = this.#owners.value("", [ownership], () => ownersIn(ownership));
    const defaults = new Map(pools.map((pool) => [keyOf(pool), pool.spec.defaultDestination.number]));
    const presence = presenceOf("NumberPool", pools, others);
    const judged = pools.map((pool) => {
      const owned = ownership.get(keyOf(pool)) ?? NOTHING;
      const absent = absentSources(pool, presence.declared);
      const wanted = trunkKeys([pool.spec.trunkRef.name, pool.spec.defaultDestination.trunkRef?.name], pool.metadata.namespace);
      const met = defaultsFrom(keyOf(pool), (key) => defaults.get(key), ownerOf);
      const inputs = [pool, owned, ...trunkStates(wanted, trunks), absent.length, ...absent.flatMap((key) => [key, lackOf(key, presence)]), ...met];
      return this.#each.value(identityOf(pool), inputs, () => judgePool(this.#findings, pool, owned, { wanted, trunks, absent, presence, met }));
    });
    return {
      all: this.#all.of(judged),
      entries: this.#entries.of(judged.filter(({ verdict }) => verdict.inService).map(({ entry }) => entry)),
      suspended: judged.filter(({ verdict }) => !verdict.inService).map(({ entry }) => entry.uid),
      byNamespace: Map.groupBy(judged.map(({ entry }) => entry), (entry) => namespaceOf(entry.key)),
      ...presence,
      verdicts: new Map(judged.map(({ entry, verdict }) => [entry.key, verdict])),
      ownerOf,
    };
  }

  nextRound(): void {
    for (const each of [this.#ownership, this.#owners, this.#each]) each.nextRound();
  }
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
  readonly presence: Presence;
  /** Pools that a call comes to which no rule takes. */
  readonly met: readonly ResourceKey[];
}

function judgePool(findings: Findings, pool: NumberPool, owned: Ownership, { wanted, trunks, absent, presence, met }: PoolSurroundings): JudgedPool {
  const { labels = {}, generation } = pool.metadata;
  const entry: DesiredPool = { ...entryOf(pool), labels, spec: pool.spec, generation, owned: toE164Ranges(owned.owned) };
  const named = namedTrunks(wanted, trunks);
  const hasTrunks = wanted.every((key) => trunks.usable.has(key));
  const problems = findings.problems(pool, hasTrunks ? () => assertRenderable(entry satisfies DialplanPool, trunks.entries) : null);
  const inService = hasTrunks && problems.length === 0;
  // A source whose pool is missing is passed over; the pool itself goes on serving.
  const lacks = bothLacks(named, lacksOf("NumberPool", absent, presence));
  const { number, sipUri } = pool.spec.defaultDestination;
  const uris = sipUri === undefined ? [] : [{ field: "spec.defaultDestination.sipUri", uri: sipUri, trunks: [defaultAttempt(entry).trunk] }];
  const warnings = [...findings.warnings(pool), ...loopOfPool(entry.key, number, met), ...unreachableUris(uris, trunks.usable)];
  return { entry, verdict: { problems, ...lacks, trunks: named.trunks, warnings, ownership: owned, inService } };
}
