/** Query parameters worth keeping: campaign parameters and the advertisers' click ids. Everything else may be personal. */
const kept =
  /^(?:utm_(?:source|medium|campaign|term|content|id|source_platform|creative_format|marketing_tactic)|gclid|gbraid|wbraid|dclid|msclkid|fbclid|ttclid|twclid|li_fat_id|yclid)$/;

const longest = 512;

/** What a page or app says about the visit: hostile until parsed. */
export interface GivenSession {
  /** Address of the page; left out when it is no http(s) URL, as all of these. */
  readonly page?: string | null | undefined;
  /** Address of the page that the visit began with. */
  readonly landing?: string | null | undefined;
  /** Address of the page that the visitor came from when the visit began. */
  readonly referrer?: string | null | undefined;
  readonly attributes?: Readonly<Record<string, string>> | null | undefined;
}

/**
 * The session attributes stored with an association: what the page says itself, and what the addresses tell.
 * Of a page only origin and path are kept: queries and fragments hold names and e-mail addresses often enough; of where the visitor came
 * from only the host. A page with campaign parameters of its own is a new source; any other has those of the page the visit began with.
 * A landing page that was left before anything could be kept of it (no answer yet, no consent yet) is only known as the second page's
 * referrer: of the same host it has the campaign still.
 */
export function sessionAttributes({ page: here, landing: first, referrer: from, attributes }: GivenSession): Readonly<Record<string, string>> {
  const [page, landing, referrer] = [webAddress(here), webAddress(first), webAddress(from)];
  const isOwn = referrer !== null && referrer.host === (landing ?? page)?.host;
  return {
    ...addressOf("page", page),
    ...addressOf("landing", landing),
    ...(referrer === null || isOwn ? {} : { referrer: referrer.hostname.slice(0, longest) }),
    ...firstCampaign([page, landing, isOwn ? referrer : null]),
    ...attributes,
  };
}

function webAddress(text: string | null | undefined): URL | null {
  const url = text === null || text === undefined ? null : URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) ? url : null;
}

function addressOf(name: string, url: URL | null): Record<string, string> {
  return url === null ? {} : { [name]: (url.origin + url.pathname).slice(0, longest) };
}

/** All of one address: those of two campaigns are never mixed. */
function firstCampaign(addresses: readonly (URL | null)[]): Record<string, string> {
  return addresses.map(campaignOf).find((campaign) => Object.keys(campaign).length > 0) ?? {};
}

function campaignOf(url: URL | null): Record<string, string> {
  const found = [...(url?.searchParams ?? [])].filter(([name, value]) => kept.test(name) && isStorable(value));
  return Object.fromEntries(found);
}

function isStorable(value: string): boolean {
  return value !== "" && value.length <= longest && value.isWellFormed() && !/\p{Cc}/u.test(value);
}
