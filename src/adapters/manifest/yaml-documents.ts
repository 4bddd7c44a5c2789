import { LineCounter, parseAllDocuments, type Document } from "yaml";
import { messageOf } from "../../domain/errors.ts";
import type { FieldPath, Finding } from "../../domain/validate/finding.ts";
import { misreadScalars } from "./misread-scalars.ts";

/** One object of a file, not yet validated. */
export interface ManifestDocument {
  /** 1-based position in the file. */
  readonly number: number;
  readonly value: unknown;
  /** 1-based line of a field, or of the nearest field around it; null when it can't be told. */
  lineOf(path: FieldPath): number | null;
  /** What kubectl would read otherwise in an object of it; its paths begin at that object. */
  misread(object: FieldPath): Finding[];
}

export interface YamlProblem {
  readonly document: number | null;
  readonly line: number | null;
  readonly message: string;
}

export interface ParsedManifests {
  readonly documents: readonly ManifestDocument[];
  readonly problems: readonly YamlProblem[];
}

/** Far above the largest honest file (an API server takes 3 MB a request), far below what hurts. */
export const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** An alias may multiply what it stands for ("billion laughs"); manifests use few. */
const MAX_ALIASES = 100;

/** Open brackets, or collections that begin on one line ("- - - x"); the API itself nests 10 deep. */
const MAX_DEPTH = 500;
const COMPACT_NESTING = new RegExp(`(?:[-?:][ \\t]+){${MAX_DEPTH}}`);

/**
 * Reads the YAML 1.2 (or JSON) documents of a file, whatever version they say they are of; empty ones are passed over, as kubectl does.
 * Duplicate keys are errors. Nothing is thrown, whatever the text.
 */
export function parseManifests(text: string): ParsedManifests {
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) return unreadable(`must be at most ${MAX_FILE_BYTES} bytes`);
  if (nestsTooDeep(text)) return unreadable(`must nest at most ${MAX_DEPTH} deep`);
  const lines = new LineCounter();
  try {
    const parsed = parseAllDocuments(text, { lineCounter: lines, schema: "core", merge: true, uniqueKeys: true, prettyErrors: false, logLevel: "silent" });
    return Array.isArray(parsed) ? readAll(parsed as Document[], lines) : { documents: [], problems: [] };
  } catch (error) {
    return unreadable(`must be YAML: ${messageOf(error)}`);
  }
}

/**
 * The parser recurses, and takes half a minute for 4 MiB of "[". Brackets in quotes and comments count as well:
 * nobody leaves this many open.
 */
function nestsTooDeep(text: string): boolean {
  let depth = 0;
  for (const [bracket] of text.matchAll(/[[{\]}]/g)) {
    depth += bracket === "[" || bracket === "{" ? 1 : -1;
    if (depth > MAX_DEPTH) return true;
  }
  return COMPACT_NESTING.test(text);
}

function unreadable(message: string): ParsedManifests {
  return { documents: [], problems: [{ document: null, line: null, message }] };
}

function readAll(parsed: readonly Document[], lines: LineCounter): ParsedManifests {
  const documents: ManifestDocument[] = [];
  const problems: YamlProblem[] = [];
  for (const [index, document] of parsed.entries()) {
    const result = readOne(document, index + 1, lines);
    problems.push(...result.problems);
    if (result.value !== null) documents.push({ number: index + 1, value: result.value, lineOf: (path) => lineOf(document, path, lines), misread: (object) => misreadScalars(nodeAt(document, object)) });
  }
  return { documents, problems };
}

function readOne(document: Document, number: number, lines: LineCounter): { value: unknown; problems: YamlProblem[] } {
  const problems = document.errors.map((error) => ({ document: number, line: lineAt(error.pos[0], lines), message: `must be YAML: ${messageOf(error)}` }));
  if (problems.length > 0) return { value: null, problems };
  try {
    return { value: document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown, problems: [] };
  } catch (error) {
    return { value: null, problems: [{ document: number, line: null, message: `must be YAML: ${messageOf(error)}` }] };
  }
}

function lineOf(document: Document, path: FieldPath, lines: LineCounter): number | null {
  for (let length = path.length; length >= 0; length--) {
    const node = nodeAt(document, path.slice(0, length)) as { range?: [number, number, number] | null } | null | undefined;
    if (node?.range) return lineAt(node.range[0], lines);
  }
  return null;
}

function nodeAt(document: Document, path: FieldPath): unknown {
  return path.length === 0 ? document.contents : document.getIn(path, true);
}

function lineAt(offset: number, lines: LineCounter): number | null {
  const { line } = lines.linePos(offset);
  return line > 0 ? line : null;
}
