import type { RoutingRuleSpec } from "./api.generated.ts";
import type { Ownership } from "./ownership.ts";
import type { ResourceKey } from "./types.ts";

/**
 * Calls that come back: a destination that is a number of ours is called through the carrier, who sends the call to us again, as a new one
 * that knows nothing of the first. Where that happens with every call it has no end.
 */

/** The pool that a number in E.164 belongs to. */
export type OwnerOf = (number: string) => ResourceKey | undefined;

export function ownersIn(ownership: ReadonlyMap<ResourceKey, Pick<Ownership, "owned">>): OwnerOf {
  const ranges = [...ownership].flatMap(([key, { owned }]) => owned.map((range) => ({ ...range, key }))).sort((a, b) => a.first - b.first);
  return (number) => {
    const digits = Number(number);
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ranges[middle]?.first ?? Infinity) <= digits) low = middle + 1;
      else high = middle;
    }
    const range = ranges[low - 1];
    return range !== undefined && digits <= range.last ? range.key : undefined;
  };
}

export interface CallLoops {
  /** Without end. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

const NONE: CallLoops = { problems: [], warnings: [] };

/** Whose number each destination is, in order. */
export function ownersOfDestinations({ destinations }: RoutingRuleSpec, ownerOf: OwnerOf): readonly (ResourceKey | undefined)[] {
  return destinations.map(({ number }) => (number === undefined ? undefined : ownerOf(number)));
}

/** @param attached pools that the rule is for */
export function loopsOfRule({ destinations }: RoutingRuleSpec, owners: readonly (ResourceKey | undefined)[], attached: readonly ResourceKey[]): CallLoops {
  if (owners.every((owner) => owner === undefined)) return NONE;
  const [problems, warnings]: [string[], string[]] = [[], []];
  for (const [index, owner] of owners.entries()) {
    if (owner === undefined) continue;
    const field = `spec.destinations[${index}].number`;
    const number = destinations[index]?.number ?? "";
    if (attached.includes(owner)) problems.push(`${field}: must not be a number of NumberPool ${owner}, which the rule is for, but ${number} is: calls would go in circles`);
    else warnings.push(comesBack(field, number, owner));
  }
  return { problems, warnings };
}

/** The pools that a call meets which no rule takes: from default destination to default destination, the last one not twice. */
export function defaultsFrom(pool: ResourceKey, defaultOf: (pool: ResourceKey) => string | undefined, ownerOf: OwnerOf): readonly ResourceKey[] {
  const met: ResourceKey[] = [];
  let at: ResourceKey | undefined = pool;
  while (at !== undefined && !met.includes(at)) {
    met.push(at);
    const number = defaultOf(at);
    at = number === undefined ? undefined : ownerOf(number);
  }
  return at === undefined ? met.slice(1) : [...met.slice(1), at];
}

/** Only a word: rules may take such calls before, and a pool that works must not go out of service because of another one's change. */
export function loopOfPool(pool: ResourceKey, number: string | undefined, met: readonly ResourceKey[]): readonly string[] {
  const [next] = met;
  // A number of its own is an error of the pool's.
  if (next === undefined || number === undefined || next === pool) return [];
  const field = "spec.defaultDestination.number";
  const loop = `${field}: calls that no rule takes go in circles: ${[pool, ...met].join(", ")}`;
  return [met.includes(pool) ? loop : comesBack(field, number, next)];
}

function comesBack(field: string, number: string, owner: ResourceKey): string {
  return `${field}: ${number} is a number of NumberPool ${owner}: its calls come back through the carrier as new ones`;
}
