import type { DialplaneNumber } from "./api.ts";
import { isolated, numberIn, replaceText, textsOf } from "./text.ts";

/** What the page itself says: the number in an element, the address of a link. */
const own = new WeakMap<Node, string>();
/**
 * Every number that was ever put into a text or a link, by its last digits, and what the page itself said there: of a copy of an element
 * nothing else tells. Any other number that is found there is the page's own.
 */
const ours = new Map<string, string | undefined>();
/** Not the marks of direction that a number taken away leaves behind. */
const visible = /[^\s\p{Cf}]/u;

const link = '[href^="tel:" i]';

/** Shows a number in an element and its `tel:` links: itself, around it and in it. Without one the page's own comes back: an old one may be somebody else's by now. */
export function swap(element: HTMLElement, answer?: DialplaneNumber | false): HTMLElement {
  const { tel, display }: Partial<DialplaneNumber> = answer || {};
  for (const one of [element.closest(link), ...element.querySelectorAll(link)]) {
    const href = one?.getAttributeNode("href");
    const shown = href && toShow(href, href.value, tel);
    if (shown && href.value !== shown) href.value = shown;
  }
  const texts = textsOf(element);
  const present = numberIn(texts);
  if (present) {
    const shown = toShow(element, present[0], display);
    if (present[0] !== shown) replaceText(texts, present, shown);
  } else if (display && !element.children[0] && !visible.test(element.textContent)) {
    element.textContent = isolated(toShow(element, "", display), element);
  }
  return element;
}

/**
 * What is wanted, or else what the page itself said last in this place. Who writes a number of ours in another way, as extensions do that make numbers
 * callable, may: seven digits tell it from the page's own, which with or without the prefixes of country and area are the same.
 */
function toShow(place: Node, found: string, wanted: string | null | undefined): string {
  // Links and texts apart. The number of the node's type goes in front as a text.
  const [key, next] = [found, wanted].map((said) => (place.nodeType as unknown as string) + (said?.replace(/\P{Nd}/gu, "").slice(-7) as string)) as [string, string];
  if (!ours.has(key)) own.set(place, found);
  else if (next === key) return found;
  const before = own.get(place) ?? ours.get(key);
  ours.set(next, before);
  return (wanted ?? before) as string;
}
