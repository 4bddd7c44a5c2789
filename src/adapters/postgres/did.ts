import type { E164 } from "../../domain/types.ts";

/** E.164 as the database keeps it: digits without "+". At most 15 digits, so a double holds it exactly. */
export function toDid(number: E164): string {
  return number.slice(1);
}

/** `bigint` arrives as text. It was written from an E164. */
export function fromDid(did: string): E164 {
  return `+${did}` as E164;
}
