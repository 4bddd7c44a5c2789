import { createHash } from "node:crypto";
import { domainToASCII, domainToUnicode } from "node:url";
import type { PoolEntry } from "../domain/ports.ts";
import type { ResourceKey, Uuid } from "../domain/types.ts";
import { uuidOf } from "../domain/uuid.ts";

/** Pages in AMP format are shown by caches, from origins that are made of the publisher's (https://amp.dev, "AMP Cache URL format"). */
const caches = ["cdn.ampproject.org", "www.bing-amp.com"];

/** The longest label of a domain (RFC 1035 section 2.3.4). */
const longestLabel = 63;

type Pools = ReadonlyMap<ResourceKey, PoolEntry>;

/** Origins that pages of a publisher's origin have in AMP caches, which take pages of https and its own port only. */
export function cacheOrigins(origin: string): readonly string[] {
  const [, host] = /^https:\/\/([^:/[\]]+)$/.exec(origin) ?? [];
  return host === undefined ? [] : caches.map((cache) => `https://${prefixOf(host)}.${cache}`);
}

/** `www.acme-shop.example` -> `www-acme--shop-example`; what can't be a label then is a hash. */
function prefixOf(host: string): string {
  const unicode = domainToUnicode(host);
  const readable = domainToASCII(unicode.replaceAll("-", "--").replaceAll(".", "-"));
  const usable = host.includes(".") && host.length <= longestLabel && readable !== "" && readable.length <= longestLabel;
  return usable && !mixesDirections(unicode) ? readable : base32(createHash("sha256").update(host).digest());
}

/** No label may have letters that are written from the left and from the right (RFC 5893). */
function mixesDirections(text: string): boolean {
  const fromRight = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
  return fromRight.test(text) && /\p{L}/u.test(text.replaceAll(new RegExp(fromRight, "gu"), ""));
}

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

/** RFC 4648 section 6, without padding. */
function base32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{1,5}/g) ?? []).map((five) => alphabet[Number.parseInt(five.padEnd(5, "0"), 2)]).join("");
}

/** Whose page it is: the pool's allowed origin itself, or the one that the cache shows a page of; null for any other. */
export function publisherOrigin({ spec }: PoolEntry, origin: string): string | null {
  return (spec.allowedOrigins ?? []).find((allowed) => allowed === origin || cacheOrigins(allowed).includes(origin)) ?? null;
}

/** All origins that may ask for some pool's numbers in AMP pages. Made once for each set of pools. */
export function ampOrigins(pools: Pools): ReadonlySet<string> {
  let origins = known.get(pools);
  if (origins === undefined) {
    const own = new Set([...pools.values()].flatMap((pool) => pool.spec.allowedOrigins ?? []));
    origins = new Set([...own].flatMap((origin) => [origin, ...cacheOrigins(origin)]));
    known.set(pools, origins);
  }
  return origins;
}

const known = new WeakMap<Pools, ReadonlySet<string>>();

/**
 * AMP pages keep no tokens of ours; what AMP gives them is a random identifier of this browser and publisher (CLIENT_ID). It always
 * stands for the same device and visitor of ours, as long as the visitor belongs to nobody else by a log-in.
 */
export function ampIdentity(namespace: string, client: string): { readonly prospect: Uuid; readonly device: Uuid } {
  return { prospect: uuidOf(["amp", "visitor", namespace, client]), device: uuidOf(["amp", "device", namespace, client]) };
}
