/**
 * Postgres keeps every text but the character NUL and halves of surrogate pairs (PostgreSQL, "Character Types" and "JSON Types").
 * They come from outside and only there; one of them would fail a whole batch. Both become U+FFFD, as decoders do.
 */
export function storableText<T extends string | null>(text: T): T {
  return (text === null ? null : text.toWellFormed().replaceAll("\0", "\uFFFD")) as T;
}

/** NUL and lone surrogates are the only ones that JSON.stringify writes as these escapes (ECMA-262, QuoteJSONString). */
const NOT_STORABLE = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g;

/** JSON for a `jsonb` column: what Postgres can't store (NUL, half a surrogate pair) becomes U+FFFD. */
export function storableJson(value: unknown): string {
  const json = JSON.stringify(value);
  return json.includes("\\u") ? json.replace(NOT_STORABLE, "$1\uFFFD") : json;
}
