/**
 * Digits of any script with what people write between them: spaces (also no-break ones and those without width), brackets, dots, slashes, dashes,
 * soft hyphens, marks of direction. A bracket in front is the number's where it is closed after some digits.
 */
const written = /(\+|\((?=[^(]{1,5}\)))*\p{Nd}([\s()./\u00ad\u200b-\u2014\u2060\u2212-]*\p{Nd}){5,}/gu;

/** No number goes across a line's end, nor is one in what nobody reads: in their place stands a text that is nowhere in the page. */
export function textsOf(node: Node): Text[] {
  if (node instanceof Text) return [node];
  return (node as Partial<Element>).matches?.("br,style,script") ? [new Text("|")] : [...node.childNodes].flatMap(textsOf);
}

/** The first one with as many digits as a telephone number has (ITU-T E.164: at most 15). It may be split over several nodes: `index` is that in the joined texts. */
export function numberIn(texts: readonly Text[]): RegExpExecArray | undefined {
  const joined = texts.map((text) => text.data).join("");
  return [...joined.matchAll(written)].find(([number]) => number.replace(/\P{Nd}/gu, "").length < 16);
}

/** Among right-to-left text the groups of a number would be shown in the wrong order, so it is isolated there (UAX 9, LRI and PDI). */
export function isolated(number: string, parent: Element): string {
  return getComputedStyle(parent).direction === "rtl" ? "\u2066" + number + "\u2069" : number;
}

/** The first node gets the new number, the others lose their part of the old one. */
export function replaceText(texts: readonly Text[], found: RegExpExecArray, by: string): void {
  let from = found.index;
  let count = found[0].length;
  for (const text of texts) {
    const { length } = text;
    if (from < length && count > 0) {
      // What it is told beyond its end it leaves alone.
      text.replaceData(from, count, by && text.data[from - 1] !== "\u2066" ? isolated(by, text.parentElement as Element) : by);
      by = "";
      count -= length - from;
      from = length;
    }
    from -= length;
  }
}
