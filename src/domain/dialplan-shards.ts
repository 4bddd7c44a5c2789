/**
 * Spreads digit patterns over contexts. A context of 100,000 extensions takes Asterisk 150 s to load, the same
 * in contexts of 1,000 less than 2 s, hence a tree: a context either lists patterns or leads on by the first digits.
 */

/** One digit pattern (`1202555[0-3]XX`) and the context that its calls go to. */
export interface DigitEntry {
  readonly pattern: string;
  readonly target: string;
}

export interface Shard {
  /** The digits that all numbers of this context begin with. */
  readonly prefix: string;
  readonly leads: "to-targets" | "to-shards";
  readonly entries: readonly DigitEntry[];
}

interface Parsed {
  /** The digits possible at each place. */
  readonly places: readonly string[];
  readonly entry: DigitEntry;
}

const ALL = "0123456789";

/**
 * @param entries disjoint patterns of the same length, in any order
 * @param limit most entries of one context, at least 10
 * @param nameOf names the context of a prefix; "" is the root's
 * @returns the root first, then by prefix; empty for no entries
 */
export function shard(entries: readonly DigitEntry[], limit: number, nameOf: (prefix: string) => string): readonly Shard[] {
  return entries.length === 0 ? [] : shardBelow("", entries.map(parse), limit, nameOf);
}

function shardBelow(prefix: string, entries: readonly Parsed[], limit: number, nameOf: (prefix: string) => string): readonly Shard[] {
  if (entries.length <= limit) {
    const listed = entries.map(({ entry, places }) => ({ pattern: patternOf(places), target: entry.target }));
    return [{ prefix, leads: "to-targets", entries: listed.sort(byPattern) }];
  }
  const groups = [...split(prefix, entries, limit)].sort(([a], [b]) => (a < b ? -1 : 1));
  const links = groups.map(([longer]) => ({ pattern: `${longer}!`, target: nameOf(longer) }));
  const children = groups.flatMap(([longer, members]) => shardBelow(longer, members, limit, nameOf));
  return [{ prefix, leads: "to-shards", entries: links }, ...children];
}

/** Groups by as few further digits as make every group fit into a context, but by no more than give `limit` groups; at least one. */
function split(prefix: string, entries: readonly Parsed[], limit: number): ReadonlyMap<string, readonly Parsed[]> {
  let groups: ReadonlyMap<string, readonly Parsed[]> = new Map([[prefix, entries]]);
  for (let place = prefix.length; place < (entries[0]?.places.length ?? 0); place += 1) {
    const finer = extend(groups, place);
    if (finer.size > limit && place > prefix.length) break;
    groups = finer;
    if ([...groups.values()].every((group) => group.length <= limit)) break;
  }
  return groups;
}

function extend(groups: ReadonlyMap<string, readonly Parsed[]>, place: number): ReadonlyMap<string, readonly Parsed[]> {
  const finer = new Map<string, Parsed[]>();
  for (const [prefix, members] of groups) {
    for (const member of members) {
      for (const digit of member.places[place] ?? "") {
        append(finer, prefix + digit, { ...member, places: member.places.with(place, digit) });
      }
    }
  }
  return finer;
}

function append<T>(groups: Map<string, T[]>, key: string, item: T): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [item]);
  else group.push(item);
}

function parse(entry: DigitEntry): Parsed {
  const tokens = entry.pattern.match(/\[[0-9-]+\]|[0-9X]/g) ?? [];
  return { entry, places: tokens.map(digitsOfToken) };
}

function digitsOfToken(token: string): string {
  if (token === "X") return ALL;
  if (!token.startsWith("[")) return token;
  return token.slice(1, -1).replaceAll(/(\d)-(\d)/g, (_, from: string, to: string) => ALL.slice(Number(from), Number(to) + 1));
}

function patternOf(places: readonly string[]): string {
  return places.map((digits) => (digits.length === 1 ? digits : digits === ALL ? "X" : `[${digits}]`)).join("");
}

function byPattern(a: DigitEntry, b: DigitEntry): number {
  return a.pattern < b.pattern ? -1 : 1;
}
