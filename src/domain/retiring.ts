import { renderDialplan, type DialplanInput, type DialplanPool } from "./dialplan.ts";
import type { DesiredState, PoolEntry, RetiringNumbers } from "./ports.ts";
import { parseRanges, subtract, toE164Ranges, union } from "./ranges.ts";

interface Declared extends DialplanInput {
  readonly pools: readonly (DialplanPool & Pick<PoolEntry, "uid">)[];
}

/**
 * The dialplan of what is declared and of numbers that are still promised to somebody: a call to one goes where those of its pool go.
 * A number that another pool has by now belongs to that one. The last content is kept: it is asked for again with every pass.
 */
export function dialplanFor(declared: Declared): DesiredState["dialplan"] {
  let last: { readonly retiring: string; readonly dialplan: ReturnType<DesiredState["dialplan"]> } | undefined;
  return (retiring) => {
    const key = JSON.stringify(retiring);
    if (last?.retiring !== key) last = { retiring: key, dialplan: renderDialplan({ ...declared, pools: withRetiring(declared.pools, retiring) }) };
    return last.dialplan;
  };
}

function withRetiring(pools: Declared["pools"], retiring: readonly RetiringNumbers[]): readonly DialplanPool[] {
  if (retiring.length === 0) return pools;
  const owned = parseRanges(pools.flatMap((pool) => pool.owned));
  const byPool = new Map(retiring.map(({ uid, ranges }) => [uid, subtract(parseRanges(ranges), owned)]));
  return pools.map((pool) => {
    const more = byPool.get(pool.uid) ?? [];
    return more.length === 0 ? pool : { ...pool, owned: toE164Ranges(union(parseRanges(pool.owned), more)) };
  });
}
