import type { DialplaneNumber } from "./api.ts";
import { isolated, numberIn, replaceText, textsOf } from "./text.ts";

/** What the page itself says: the number in an element, the address of a link. */
const ownTexts = new WeakMap<Element, string>();
const ownLinks = new WeakMap<Element, string>();
/** Not the marks of direction that a number taken away leaves behind. */
const written = /[^\s\p{Cf}]/u;

/** Shows a number in an element and its `tel:` links. Without one the page's own comes back: an old one may be somebody else's by now. */
export function swap(element: HTMLElement, answer?: DialplaneNumber): void {
  for (const link of [element, ...element.querySelectorAll("a")]) swapLink(link, answer?.tel);
  const display = answer?.display;
  const texts = textsOf(element);
  const present = numberIn(texts);
  if (present) {
    const first = remembered(ownTexts, element, present[0]);
    if (present[0] !== (display ?? first)) replaceText(texts, present, display ?? first);
  } else if (display && !element.children.length && !written.test(element.textContent)) {
    ownTexts.set(element, "");
    element.textContent = isolated(display, element);
  }
}

function swapLink(link: Element, tel: string | null | undefined): void {
  const href = link.getAttribute("href");
  if (!href?.startsWith("tel:")) return;
  const first = remembered(ownLinks, link, href);
  if (href !== (tel ?? first)) link.setAttribute("href", tel ?? first);
}

/** The first value that was seen. */
function remembered(values: WeakMap<Element, string>, element: Element, value: string): string {
  const first = values.get(element) ?? value;
  values.set(element, first);
  return first;
}
