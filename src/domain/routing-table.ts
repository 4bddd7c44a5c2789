import type { PoolEntry, Revision, RuleEntry, Snapshot, SnapshotChanges, TrunkEntry } from "./ports.ts";
import { type CompiledRules, inOrder } from "./routing-rules.ts";
import type { ResourceKey } from "./types.ts";

/** A snapshot made ready for calls. Never changed: a call may hold on to it. */
export interface RoutingTable extends CompiledRules, Revision {
  readonly trunks: ReadonlyMap<ResourceKey, TrunkEntry>;
}

/** Keeps a table up to date: only pools that a change is about are put in order again. */
export class RoutingIndex {
  readonly #pools = new Map<string, PoolEntry>();
  readonly #rules = new Map<string, RuleEntry>();
  readonly #trunks = new Map<string, TrunkEntry>();
  /** Rules by the pool that they ask for, by uid; the pool need not be there. */
  readonly #attached = new Map<ResourceKey, Map<string, RuleEntry>>();
  #table: RoutingTable = { revision: 0, mark: "", pools: new Map(), rules: new Map(), trunks: new Map() };

  constructor(snapshot: Snapshot) {
    this.apply({ ...snapshot, gone: { pools: [], rules: [], trunks: [] } });
  }

  get table(): RoutingTable {
    return this.#table;
  }

  apply({ revision, mark, pools, rules, trunks, gone }: SnapshotChanges): void {
    const trunksNow = replaced(this.#table.trunks, this.#trunks, { gone: gone.trunks, there: trunks });
    const poolsNow = replaced(this.#table.pools, this.#pools, { gone: gone.pools, there: pools });
    const touched = new Set(pools.map(({ key }) => key));
    for (const uid of [...gone.rules, ...rules.map((rule) => rule.uid)]) this.#detach(uid, touched);
    for (const rule of rules) this.#attach(rule, touched);
    const rulesNow = new Map(this.#table.rules);
    for (const key of rulesNow.keys()) if (!poolsNow.has(key)) rulesNow.delete(key);
    for (const key of touched) if (poolsNow.has(key)) rulesNow.set(key, inOrder([...(this.#attached.get(key)?.values() ?? [])], key));
    this.#table = { revision, mark, pools: poolsNow, rules: rulesNow, trunks: trunksNow };
  }

  #detach(uid: string, touched: Set<ResourceKey>): void {
    for (const key of this.#rules.get(uid)?.pools ?? []) {
      touched.add(key);
      const others = this.#attached.get(key);
      others?.delete(uid);
      if (others?.size === 0) this.#attached.delete(key);
    }
    this.#rules.delete(uid);
  }

  #attach(rule: RuleEntry, touched: Set<ResourceKey>): void {
    this.#rules.set(rule.uid, rule);
    for (const key of rule.pools) {
      touched.add(key);
      const others = this.#attached.get(key) ?? new Map<string, RuleEntry>();
      this.#attached.set(key, others.set(rule.uid, rule));
    }
  }
}

/** `byUid` is brought up to date, `byKey` copied. An object may have taken the name of one that is gone. */
function replaced<T extends { readonly uid: string; readonly key: ResourceKey }>(
  byKey: ReadonlyMap<ResourceKey, T>,
  byUid: Map<string, T>,
  { gone, there }: { readonly gone: readonly string[]; readonly there: readonly T[] },
): ReadonlyMap<ResourceKey, T> {
  if (gone.length + there.length === 0) return byKey;
  const now = new Map(byKey);
  for (const uid of [...gone, ...there.map((entry) => entry.uid)]) {
    const before = byUid.get(uid);
    if (before !== undefined && now.get(before.key)?.uid === uid) now.delete(before.key);
    byUid.delete(uid);
  }
  for (const entry of there) {
    byUid.set(entry.uid, entry);
    now.set(entry.key, entry);
  }
  return now;
}
