/**
 * Programs that say they are not visitors: search engines, link previews, monitors, headless checkers, renderers for other crawlers, and
 * assistants that read a page on somebody's behalf (`ChatGPT-User/1.0`). They keep the page's own number, so that search results never
 * show a leased number and crawls never empty a pool.
 * Words, not a list of versions: every serious crawler names itself with one of them (compare RFC 9309 section 2.2.1).
 * "Cubot" is a make of telephone, also as `CUBOT_X18_Plus`. Headless browsers as such are not crawlers.
 */
const crawler =
  /(?<!\bcu)bot(?:\b|_)|-user\/|crawl|spider|slurp|facebookexternalhit|meta-externalagent|google-(?:inspectiontool|read-aloud|extended|safety)|googleother|adsbot|apis-google|feedfetcher|lighthouse|pagespeed|pingdom|uptime|statuscake|gtmetrix|site24x7|ptst\/|archiver|validator|whatsapp\/|embedly|quora link|skypeuripreview|bingpreview|prerender|rendertron|mediapartners|synthetic|checkly|yandex(?:metrika|direct|images)|duckduckgo-favicons/i;

/** Longer strings come from nobody honest and would only cost time. */
const longestUserAgent = 1024;

/** @param userAgent the `User-Agent` header. Absent is no crawler: apps may leave it out. */
export function isCrawler(userAgent: string | undefined): boolean {
  return userAgent !== undefined && (userAgent.length > longestUserAgent || crawler.test(userAgent));
}
