import type { PoolEntry } from "./ports.ts";
import type { ResourceKey } from "./types.ts";

type Pools = ReadonlyMap<ResourceKey, PoolEntry>;

/**
 * May a page of this origin ask for numbers of the pool? Browsers always send `Origin` with a POST and serialise it in one
 * way only (https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin), so equality of strings is enough; "null"
 * (sandboxed frames, files) equals none. Without the header it is no web page but an app or a server: allowed, as the
 * pool's description says; it can't be a visitor's browser that was tricked. An allowed origin that no page can have (a port
 * of 80800, say) is passed over in the same way: nothing is made of it, and no browser ever sends it.
 */
export function mayAsk(pool: PoolEntry, origin: string | undefined): boolean {
  return origin === undefined || (pool.spec.allowedOrigins ?? []).includes(origin);
}

/** All origins that some pool allows: who may call end points that name no pool. Cheap: made once for each set of pools. */
export function allowedOrigins(pools: Pools): ReadonlySet<string> {
  return originsOf(pools).allowed;
}

/** Those that a pool which requires consent allows: on pages of theirs nobody is remembered who didn't consent, whatever the request is about. */
export function consentOrigins(pools: Pools): ReadonlySet<string> {
  return originsOf(pools).consent;
}

interface Origins {
  readonly allowed: ReadonlySet<string>;
  readonly consent: ReadonlySet<string>;
}

function originsOf(pools: Pools): Origins {
  let origins = known.get(pools);
  if (origins === undefined) {
    const all = [...pools.values()].map((pool) => pool.spec);
    const of = (specs: typeof all) => new Set(specs.flatMap((spec) => spec.allowedOrigins ?? []));
    origins = { allowed: of(all), consent: of(all.filter((spec) => spec.consent === "Required")) };
    known.set(pools, origins);
  }
  return origins;
}

const known = new WeakMap<Pools, Origins>();
