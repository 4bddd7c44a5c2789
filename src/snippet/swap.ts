import type { DialplaneNumber } from "./api.ts";
import { isolated, numberIn, replaceText, textsOf } from "./text.ts";

/** What the page itself says: the number in an element, the address of a link. */
const ownTexts = new WeakMap<Element, string>();
const ownLinks = new WeakMap<Element, string>();
/** Everything that was ever put into the page: anything else that is found there is the page's own. */
const ours = new Set<string | null | undefined>();
/** Not the marks of direction that a number taken away leaves behind. */
const visible = /[^\s\p{Cf}]/u;

/** Shows a number in an element and its `tel:` links. Without one the page's own comes back: an old one may be somebody else's by now. */
export function swap(element: HTMLElement, answer?: DialplaneNumber): HTMLElement {
  for (const link of [element, ...element.querySelectorAll("a")]) swapLink(link, answer?.tel);
  const display = answer?.display;
  const texts = textsOf(element);
  const present = numberIn(texts);
  if (present) {
    const shown = toShow(ownTexts, element, present[0], display);
    if (present[0] !== shown) replaceText(texts, present, shown);
  } else if (display && !element.children.length && !visible.test(element.textContent)) {
    element.textContent = isolated(toShow(ownTexts, element, "", display), element);
  }
  return element;
}

function swapLink(link: Element, tel: string | null | undefined): void {
  const href = link.getAttribute("href");
  if (!href?.startsWith("tel:")) return;
  const shown = toShow(ownLinks, link, href, tel);
  if (href !== shown) link.setAttribute("href", shown);
}

/** What is wanted, or else what the page itself said last in this place. */
function toShow(own: WeakMap<Element, string>, element: Element, found: string, wanted: string | null | undefined): string {
  if (!ours.has(found)) own.set(element, found);
  ours.add(wanted);
  return wanted ?? own.get(element) ?? found;
}
