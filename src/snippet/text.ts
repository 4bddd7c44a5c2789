/** Where a telephone number stands in the text of an element, which may be split over several nodes. */
export interface Found {
  readonly text: string;
  /** Offset in the joined texts. */
  readonly at: number;
}

/** Digits with what people write between them: spaces (also no-break), brackets, dots, slashes, dashes. */
const written = /\+?[(]?\d[\d\s()./\u2010-\u2014-]{4,}\d/g;

export function textsOf(element: Element): Text[] {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const texts: Text[] = [];
  while (walker.nextNode()) texts.push(walker.currentNode as Text);
  return texts;
}

/** The first one with as many digits as a telephone number has (ITU-T E.164: at most 15). */
export function numberIn(texts: readonly Text[]): Found | undefined {
  const joined = texts.map((text) => text.data).join("");
  for (const match of joined.matchAll(written)) {
    const digits = match[0].replace(/\D/g, "").length;
    if (digits >= 6 && digits <= 15) return { text: match[0], at: match.index };
  }
  return undefined;
}

/** The first node gets the new number, the others lose their part of the old one. */
export function replaceText(texts: readonly Text[], found: Found, by: string): void {
  let offset = 0;
  let rest = by;
  for (const text of texts) {
    const length = text.data.length;
    const from = Math.max(0, found.at - offset);
    const to = Math.min(length, found.at + found.text.length - offset);
    if (from < to) {
      text.replaceData(from, to - from, rest);
      rest = "";
    }
    offset += length;
  }
}
