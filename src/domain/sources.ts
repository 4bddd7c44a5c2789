import type { SipTrunkSpec } from "./api.generated.ts";
import { parseCidr, parseIpAddress, type Cidr, type IpAddress } from "./ip-address.ts";
import { compareText } from "./seniority.ts";
import type { ResourceKey } from "./types.ts";

/**
 * Whose is a call that comes from an address of several trunks? Asterisk takes it for a call of whichever trunk it finds first, with that
 * one's settings. Numbers decide where a call goes, so that this is no matter while the settings are the same, and worth a word when not.
 */

export interface TrunkSources {
  readonly key: ResourceKey;
  readonly spec: Pick<SipTrunkSpec, "host" | "sourceAddresses" | "codecs" | "mediaEncryption">;
}

/** Another trunk whose calls come from the same addresses, with other settings. */
export interface SourceConflict {
  readonly other: ResourceKey;
  /** What both have: a network, or a host's name. */
  readonly source: string;
  /** In the words of the specification. */
  readonly differs: readonly string[];
}

/** Spelled out in a message; of one more it is known that it is there. */
const MOST_NAMED = 3;
const MOST_KEPT = MOST_NAMED + 1;

/** Whether both say the same. */
export function sameConflicts(a: readonly SourceConflict[], b: readonly SourceConflict[]): boolean {
  return a.length === b.length && a.every((conflict, i) => textOf(conflict) === textOf(b[i]));
}

function textOf(conflict: SourceConflict | undefined): string {
  return JSON.stringify(conflict);
}

/** A trunk as one of those that a source belongs to. */
interface Owner {
  readonly trunk: TrunkSources;
  /** Equal where Asterisk would treat calls alike. */
  readonly settings: string;
  readonly source: string;
}

/** One source and everybody who names exactly it. */
interface Place {
  readonly path: string;
  readonly text: string;
  readonly owners: Owner[];
  /** Some of the owners; of those of the places around it, and of those within it, likewise. */
  own: readonly Owner[];
  around: readonly Owner[];
  within: readonly Owner[];
}

/**
 * Trunks in any order and of all namespaces. Two networks overlap only when one holds the other, so that one pass in ascending order, with
 * the places that are open at each point, finds for each place what is around it, and one back what is within it. Of many owners a few are
 * carried along: O(n log n) in the number of networks, however many trunks share one.
 *
 * @returns of each trunk that shares a source with one of other settings at most four of those
 */
export function resolveSources(trunks: readonly TrunkSources[]): ReadonlyMap<ResourceKey, readonly SourceConflict[]> {
  const places = placesOf([...trunks].sort((a, b) => compareText(a.key, b.key)));
  const parents = nest(places);
  for (const place of places) place.own = some(place.owners);
  for (const [i, place] of places.entries()) place.around = some([...(parents[i]?.own ?? []), ...(parents[i]?.around ?? [])]);
  for (const [i, place] of [...places.entries()].reverse()) {
    const parent = parents[i];
    if (parent !== undefined) parent.within = some([...parent.within, ...place.own, ...place.within]);
  }
  const found = new Map<ResourceKey, Map<ResourceKey, SourceConflict>>();
  for (const place of places) for (const owner of place.owners) conflictsAt(place, owner, found);
  return new Map([...found].map(([key, conflicts]) => [key, [...conflicts.values()]]));
}

function placesOf(trunks: readonly TrunkSources[]): Place[] {
  const places = new Map<string, Place>();
  for (const trunk of trunks) {
    const settings = JSON.stringify(settingsOf(trunk.spec));
    for (const { path, text } of sourcesOf(trunk.spec)) {
      const place = places.get(path) ?? { path, text, owners: [], own: [], around: [], within: [] };
      places.set(path, place);
      // Two networks of one trunk may be one when their host bits are gone.
      if (place.owners.at(-1)?.trunk !== trunk) place.owners.push({ trunk, settings, source: text });
    }
  }
  return [...places.values()].sort((a, b) => compareText(a.path, b.path));
}

/** The place right around each, in the same order: what begins with a path comes right after it. */
function nest(places: readonly Place[]): readonly (Place | undefined)[] {
  const open: Place[] = [];
  return places.map((place) => {
    while (open.length > 0 && !place.path.startsWith(open.at(-1)?.path ?? "")) open.pop();
    const parent = open.at(-1);
    open.push(place);
    return parent;
  });
}

/** So many of each setting, and of so many settings, that whoever looks for others than its own finds as many as are kept. */
function some(owners: readonly Owner[]): readonly Owner[] {
  const bySettings = new Map<string, Owner[]>();
  for (const owner of owners) {
    const alike = bySettings.get(owner.settings) ?? [];
    if (bySettings.size > MOST_KEPT && alike.length === 0) continue;
    if (alike.length < MOST_KEPT && !alike.some(({ trunk }) => trunk === owner.trunk)) alike.push(owner);
    bySettings.set(owner.settings, alike);
  }
  return [...bySettings.values()].flat();
}

function conflictsAt({ own, around, within, text }: Place, { trunk, settings }: Owner, found: Map<ResourceKey, Map<ResourceKey, SourceConflict>>): void {
  // The smaller of two networks is what both have.
  const others = [...own, ...around.map((owner) => ({ ...owner, source: text })), ...within];
  for (const { trunk: other, source } of others.filter((owner) => owner.settings !== settings)) {
    const known = found.get(trunk.key) ?? new Map<ResourceKey, SourceConflict>();
    if (known.size < MOST_KEPT && !known.has(other.key)) known.set(other.key, { other: other.key, source, differs: differences(trunk.spec, other.spec) });
    found.set(trunk.key, known);
  }
}

/** What Asterisk takes from the trunk that it found, by the names that people know. */
function settingsOf({ codecs, mediaEncryption, host }: TrunkSources["spec"]): Readonly<Record<string, string>> {
  return { codecs: codecs.join(), mediaEncryption, "the address family of host": host.includes(":") ? "IPv6" : "IPv4" };
}

function differences(a: TrunkSources["spec"], b: TrunkSources["spec"]): readonly string[] {
  const [ours, theirs] = [settingsOf(a), settingsOf(b)];
  return Object.keys(ours).filter((name) => ours[name] !== theirs[name]);
}

// ---------------------------------------------------------------- networks

interface Source {
  /** A network's address bit by bit, as far as it is fixed: what begins with it is inside. A name ends with what no name holds. */
  readonly path: string;
  readonly text: string;
}

/** As `renderPjsip` tells Asterisk: the networks, else the host. What is neither address nor network counts as a name. */
function sourcesOf({ host, sourceAddresses = [] }: TrunkSources["spec"]): Source[] {
  const single = parseIpAddress(host);
  if (sourceAddresses.length === 0) return [single === null ? nameOf(host) : networkOf(single, single.length * 8)];
  return sourceAddresses.map((text) => {
    const network = parseCidr(text);
    return network === null ? nameOf(text) : networkOf(network.address, network.prefixLength);
  });
}

/** Whether two names stand for one address only a look-up could tell, and another one a minute later. */
function nameOf(host: string): Source {
  const text = host.toLowerCase();
  return { path: `name ${text}\n`, text };
}

/** As Asterisk takes it, which drops all networks of a trunk for one IPv4 network that is written as IPv6. Host bits are gone. */
export function networkText({ address, prefixLength }: Cidr): string {
  return networkOf(address, prefixLength).text;
}

/** An IPv4 address that is written as IPv6 (::ffff:192.0.2.7, RFC 4291 section 2.5.5.2) is an IPv4 address. */
function networkOf(address: IpAddress, prefixLength: number): Source {
  const isMapped = address.length === 16 && prefixLength >= 96 && address.slice(0, 12).every((byte, i) => byte === (i < 10 ? 0 : 255));
  if (isMapped) return networkOf(address.slice(12), prefixLength - 96);
  const bits = address.map((byte) => byte.toString(2).padStart(8, "0")).join("").slice(0, prefixLength);
  const masked = bits.padEnd(address.length * 8, "0").match(/.{8}/g) ?? [];
  return { path: `${address.length} ${bits}`, text: `${addressText(masked.map((byte) => Number.parseInt(byte, 2)))}/${prefixLength}` };
}

function addressText(address: IpAddress): string {
  if (address.length === 4) return address.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => (((address[2 * i] ?? 0) << 8) | (address[2 * i + 1] ?? 0)).toString(16));
  // The shortest form (RFC 5952), as URLs have it.
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** For the condition `Accepted=False/SourceConflict`. Null without a conflict. */
export function sourceMessage(conflicts: readonly SourceConflict[]): string | null {
  if (conflicts.length === 0) return null;
  const named = conflicts.slice(0, MOST_NAMED).map(({ source, other, differs }) => {
    return `calls from ${source} are also those of SipTrunk ${other}, of which ${differs.join(" and ")} ${differs.length === 1 ? "differs" : "differ"}`;
  });
  const more = conflicts.length > MOST_NAMED ? "; and more" : "";
  return `${named.join("; ")}${more}; Asterisk takes such a call for one of the trunk that it finds first, with the settings of that one; the number that is called still decides where it goes`;
}
