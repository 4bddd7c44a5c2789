/** Query parameters worth keeping: campaign parameters and the advertisers' click ids. Everything else may be personal. */
const kept =
  /^(?:utm_(?:source|medium|campaign|term|content|id|source_platform|creative_format|marketing_tactic)|gclid|gbraid|wbraid|dclid|msclkid|fbclid|ttclid|twclid|li_fat_id|yclid)$/;

const longest = 512;

/**
 * The session attributes stored with an association: what the page says itself, and what its address tells.
 * Of the address only origin and path are kept as `page`: queries and fragments hold names and e-mail addresses often enough.
 * @param page the page's address, as the page says: hostile until parsed; left out when it is no http(s) URL.
 */
export function sessionAttributes(
  page: string | null | undefined,
  given: Readonly<Record<string, string>> | null | undefined,
): Readonly<Record<string, string>> {
  const url = page === null || page === undefined ? null : URL.parse(page);
  if (url === null || !/^https?:$/.test(url.protocol)) return given ?? {};
  const found: Record<string, string> = { page: (url.origin + url.pathname).slice(0, longest) };
  for (const [name, value] of url.searchParams) {
    if (kept.test(name) && isStorable(value)) found[name] = value;
  }
  return { ...found, ...given };
}

function isStorable(value: string): boolean {
  return value !== "" && value.length <= longest && value.isWellFormed() && !/\p{Cc}/u.test(value);
}
