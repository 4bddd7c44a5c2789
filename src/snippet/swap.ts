import type { DialplaneNumber } from "./api.ts";
import { isolated, numberIn, replaceText, textsOf } from "./text.ts";

/** What the page itself says: the number in an element, the address of a link. */
const own = new WeakMap<Element, string>();

/** Shows a number in an element and its `tel:` links. Without one the page's own comes back: an old one may be somebody else's by now. */
export function swap(element: HTMLElement, answer?: DialplaneNumber): void {
  for (const link of [element, ...element.querySelectorAll("a")]) swapLink(link, answer?.tel);
  const texts = textsOf(element);
  const present = numberIn(texts);
  if (present) {
    const display = answer?.display ?? own.get(element) ?? present.text;
    if (!own.has(element)) own.set(element, present.text);
    if (present.text !== display) replaceText(texts, present, display);
  } else if (answer?.display && isEmpty(element)) element.textContent = isolated(answer.display, element);
}

function isEmpty(element: HTMLElement): boolean {
  return !element.children.length && !element.textContent.trim();
}

function swapLink(link: Element, tel: string | null | undefined): void {
  const href = link.getAttribute("href");
  if (!href?.startsWith("tel:")) return;
  const next = tel ?? links.get(link) ?? href;
  if (!links.has(link)) links.set(link, href);
  if (href !== next) link.setAttribute("href", next);
}

const links = new WeakMap<Element, string>();
