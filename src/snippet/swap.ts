import type { DialplaneNumber } from "./api.ts";
import { isolated, numberIn, replaceText, textsOf } from "./text.ts";

/** What the page itself says: the number in an element, the address of a link. */
const own = new WeakMap<Node, string>();
/**
 * Everything that was ever put into the page, and what the page itself said there: of a copy of an element nothing else tells. Anything else
 * that is found there is the page's own.
 */
const ours = new Map<string | null | undefined, string | undefined>();
/** Not the marks of direction that a number taken away leaves behind. */
const visible = /[^\s\p{Cf}]/u;

/** Shows a number in an element and its `tel:` links: itself, around it and in it. Without one the page's own comes back: an old one may be somebody else's by now. */
export function swap(element: HTMLElement, answer?: DialplaneNumber): HTMLElement {
  for (const link of [element.closest("[href]"), ...element.querySelectorAll("[href]")]) swapLink(link?.getAttributeNode("href"), answer?.tel);
  const display = answer?.display;
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

function swapLink(href: Attr | null | undefined, tel: string | null | undefined): void {
  if (!href || !/^tel:/i.test(href.value)) return;
  const shown = toShow(href, href.value, tel);
  if (href.value !== shown) href.value = shown;
}

/** What is wanted, or else what the page itself said last in this place. */
function toShow(place: Node, found: string, wanted: string | null | undefined): string {
  if (!ours.has(found)) own.set(place, found);
  const before = own.get(place) ?? ours.get(found);
  ours.set(wanted, before);
  return wanted ?? before ?? found;
}
