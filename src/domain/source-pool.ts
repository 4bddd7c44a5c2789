import type { NumberPoolSource } from "./api.generated.ts";
import type { PoolEntry } from "./ports.ts";
import { attributeMismatch } from "./routing-match.ts";
import { namespaceOf } from "./seniority.ts";
import type { PoolChoice, ResourceKey } from "./types.ts";

/**
 * Which pool a visit gets its number from, where the pool that the page names has `sources`. In this order:
 *
 * 1. the pool of the number that the prospect holds: a number doesn't change while its lease lives, whatever the source of a later page
 * 2. the first entry of `sources` all of whose attributes hold
 * 3. the pool of the number that the prospect held last and nobody got since
 * 4. the pool that the page names
 *
 * 2 is decided here; 1 and 3 by Postgres together with the claim. Entries of pools that aren't in service are passed over, and the
 * sources of a pool that was found by them are not followed. null: the pool has none, so there is nothing to choose.
 */
export function poolChoice(
  entry: PoolEntry,
  attributes: Readonly<Record<string, string>>,
  pools: ReadonlyMap<ResourceKey, PoolEntry>,
): PoolChoice | null {
  const sources = sourcesInService(entry, pools);
  if (sources.length === 0) return null;
  const matched = sources.find(({ source }) => source.attributes.every((wanted) => attributeMismatch(wanted, attributes) === null));
  return { matched: matched?.key ?? null, candidates: [...new Set([entry.key, ...sources.map(({ key }) => key)])] };
}

/** Every pool whose numbers a page that names this one may show. */
export function poolsBehind(entry: PoolEntry, pools: ReadonlyMap<ResourceKey, PoolEntry>): readonly ResourceKey[] {
  return [...new Set([entry.key, ...sourcesInService(entry, pools).map(({ key }) => key)])];
}

function sourcesInService({ key, spec }: PoolEntry, pools: ReadonlyMap<ResourceKey, PoolEntry>): readonly { readonly source: NumberPoolSource; readonly key: ResourceKey }[] {
  const namespace = namespaceOf(key);
  return (spec.sources ?? []).map((source) => ({ source, key: `${namespace}/${source.poolRef.name}` })).filter((found) => pools.has(found.key));
}
