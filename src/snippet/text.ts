/** Digits of any script with what people write between them: spaces (also no-break), brackets, dots, slashes, dashes, marks of direction. */
const written = /\+?[(]?\p{Nd}(?:[\s()./\u200e-\u2014-]*\p{Nd}){5,}/gu;

/** All text nodes below an element, in the order of the document. */
export function textsOf(element: Element): Text[] {
  // NodeFilter.SHOW_TEXT, whose name is as long as this line's other half.
  const walker = document.createTreeWalker(element, 4);
  const texts: Text[] = [];
  while (walker.nextNode()) texts.push(walker.currentNode as Text);
  return texts;
}

/** The first one with as many digits as a telephone number has (ITU-T E.164: at most 15). It may be split over several nodes: `index` is that in the joined texts. */
export function numberIn(texts: readonly Text[]): RegExpExecArray | undefined {
  const joined = texts.map((text) => text.data).join("");
  return [...joined.matchAll(written)].find(([number]) => number.replace(/\P{Nd}/gu, "").length < 16);
}

/** Among right-to-left text the groups of a number would be shown in the wrong order, so it is isolated there (UAX 9, LRI and PDI). */
export function isolated(number: string, parent: Element): string {
  return getComputedStyle(parent).direction === "rtl" ? `\u2066${number}\u2069` : number;
}

/** The first node gets the new number, the others lose their part of the old one. */
export function replaceText(texts: readonly Text[], found: RegExpExecArray, by: string): void {
  let offset = 0;
  let rest = by;
  for (const text of texts) {
    const { length } = text;
    const from = Math.max(0, found.index - offset);
    const count = found.index + found[0].length - offset - from;
    if (count > 0 && from < length) {
      // What it is told beyond its end it leaves alone.
      text.replaceData(from, count, rest && text.data[from - 1] !== "\u2066" ? isolated(rest, text.parentElement as Element) : rest);
      rest = "";
    }
    offset += length;
  }
}
