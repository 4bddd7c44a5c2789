import { createHash } from "node:crypto";
import type { Uuid } from "./types.ts";

/**
 * Always the same UUID for the same texts in the same order: version 8 of RFC 9562, 122 bits of a hash. What was made of them is stored, and asked
 * for by routers and replicas of other releases: how it is made never changes.
 */
export function uuidOf(texts: readonly string[]): Uuid {
  const hash = createHash("sha256").update(JSON.stringify(texts)).digest("hex");
  const variant = ((Number.parseInt(hash.charAt(16), 16) & 3) | 8).toString(16);
  return [hash.slice(0, 8), hash.slice(8, 12), `8${hash.slice(13, 16)}`, `${variant}${hash.slice(17, 20)}`, hash.slice(20, 32)].join("-");
}
