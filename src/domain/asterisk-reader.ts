import { ExpectedError } from "./errors.ts";

export interface ConfigSection {
  readonly name: string;
  /** The section before it whose entries it has as well, null when it has none but its own. */
  readonly base: string | null;
  /** Keys and values in order; `same = n,...` stays as it is written. */
  readonly entries: readonly (readonly [key: string, value: string])[];
}

/** Asterisk cuts longer lines in two without a word. */
const MAX_LINE_BYTES = 8_000;

/**
 * Reads what we render, strictly: sections, `[name](base)`, `key = value`, whole-line comments and nothing else. Asterisk itself is lenient:
 * it skips garbage and drops the rest of a file after an unclosed `[`, and answers success (facts of pbx_config and res_sorcery_config).
 *
 * @throws ExpectedError InvalidInput naming the line
 */
export function readConfig(text: string): readonly ConfigSection[] {
  if (!text.endsWith("\n")) {
    throw new ExpectedError("InvalidInput", "the last line has no end: the file is cut off");
  }
  const sections: { name: string; base: string | null; entries: [string, string][] }[] = [];
  const names = new Set<string>();
  text.split("\n").forEach((line, index) => {
    const parsed = parseLine(line, index + 1);
    if (parsed.type === "section") {
      if (parsed.base !== null && !names.has(parsed.base)) throw invalidLine(index + 1, "names a section that is not there before it");
      names.add(parsed.name);
      sections.push({ name: parsed.name, base: parsed.base, entries: [] });
    } else if (parsed.type === "entry") {
      const section = sections.at(-1);
      if (section === undefined) throw invalidLine(index + 1, "stands before the first [section]");
      section.entries.push([parsed.key, parsed.value]);
    }
  });
  return sections;
}

type Line = { readonly type: "section"; readonly name: string; readonly base: string | null } | { readonly type: "entry"; readonly key: string; readonly value: string } | { readonly type: "blank" };

function parseLine(line: string, number: number): Line {
  if (line === "" || line.startsWith("; ")) {
    return { type: "blank" };
  }
  if (Buffer.byteLength(line) > MAX_LINE_BYTES) {
    throw invalidLine(number, `is longer than ${MAX_LINE_BYTES} bytes`);
  }
  const [, name, base] = /^\[([A-Za-z0-9_-]{1,79})\](?:\(([A-Za-z0-9_-]{1,79})\))?$/.exec(line) ?? [];
  if (name !== undefined) {
    return { type: "section", name, base: base ?? null };
  }
  const [, key, value] = /^ ?([A-Za-z_][A-Za-z0-9_]*) = (\S|\S.*\S)$/u.exec(line) ?? [];
  if (key === undefined || value === undefined || /(?<!\\);|[\x00-\x1f\x7f]/.test(value)) {
    throw invalidLine(number, "is neither [section] nor key = value");
  }
  return { type: "entry", key, value };
}

/** The line is not shown: it may hold a secret. */
function invalidLine(number: number, what: string): ExpectedError {
  return new ExpectedError("InvalidInput", `line ${number} ${what}`, { field: `line ${number}` });
}
