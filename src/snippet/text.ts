/** Where a telephone number stands in the text of an element, which may be split over several nodes. */
export interface Found {
  readonly text: string;
  /** Offset in the joined texts. */
  readonly at: number;
}

/** Latin, Arabic and Persian digits with what people write between them: spaces (also no-break), brackets, dots, slashes, dashes, marks of direction. */
const written = /\+?[(]?[\d٠-٩۰-۹][\d٠-٩۰-۹\s()./\u200e\u200f\u2010-\u2014-]{4,}[\d٠-٩۰-۹]/g;

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
    const digits = match[0].replace(/[^\d٠-٩۰-۹]/g, "").length;
    if (digits >= 6 && digits <= 15) return { text: match[0], at: match.index };
  }
  return undefined;
}

/** Among right-to-left text the groups of a number would be shown in the wrong order, so it is isolated there (UAX 9, LRI and PDI). */
export function isolated(number: string, parent: Element): string {
  return getComputedStyle(parent).direction === "rtl" ? `\u2066${number}\u2069` : number;
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
      const parent = text.parentElement;
      text.replaceData(from, to - from, rest && parent && text.data[from - 1] !== "\u2066" ? isolated(rest, parent) : rest);
      rest = "";
    }
    offset += length;
  }
}
