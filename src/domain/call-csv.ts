import type { CallRecord } from "./types.ts";

/** What a spreadsheet takes for the beginning of a formula, also in its full-width forms, and behind blanks. */
const FORMULA = /^[\s\p{Cc}]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/u;
/** Can't be anything but a number. */
const HARMLESS = /^[+-]?[0-9*]+$/;

const COLUMNS: readonly (readonly [string, (call: CallRecord) => string | number | Date | null])[] = [
  ["id", (call) => call.id],
  ["received_at", (call) => call.receivedAt],
  ["answered_at", (call) => call.answeredAt],
  ["ended_at", (call) => call.endedAt],
  ["talk_seconds", talkSeconds],
  ["pool", (call) => call.pool],
  ["number", (call) => call.did],
  ["caller", (call) => call.caller],
  ["outcome", (call) => call.end ?? "live"],
  ["hangup_cause", (call) => call.hangupCause],
  ["attribution", (call) => call.attribution],
  ["visitor", (call) => call.prospect],
  ["media_element", (call) => call.mediaElement],
  // Excel parts cells at semicolons where commas are decimal, within quotes too unless they begin the line: what a page says must not begin a cell.
  ["attributes", (call) => JSON.stringify(call.attributes).replaceAll(";", "\\u003b")],
  ["rule", (call) => call.rule],
  ["answered_by", (call) => call.answeredBy],
  ["attempts", (call) => call.legs.map((leg) => `${leg.result} ${leg.destination}`).join("; ")],
  ["pod", (call) => call.pod],
];

/** Begins with a byte order mark: without it Excel reads UTF-8 in the code page of its machine and shows umlauts as two signs. */
export const CSV_HEADER = `\ufeff${lineOf(COLUMNS.map(([name]) => name))}`;

/** One call, with the line break of RFC 4180. */
export function csvLine(call: CallRecord): string {
  return lineOf(COLUMNS.map(([, valueOf]) => textOf(valueOf(call))));
}

/** Whole seconds between the two parties' connection and the end; empty for a call that was not connected or goes on. */
function talkSeconds({ bridgedAt, endedAt }: CallRecord): number | null {
  return bridgedAt === null || endedAt === null ? null : Math.round((endedAt.getTime() - bridgedAt.getTime()) / 1000);
}

function textOf(value: string | number | Date | null): string {
  if (value === null) return "";
  return value instanceof Date ? value.toISOString() : String(value);
}

function lineOf(cells: readonly string[]): string {
  return `${cells.map(cell).join(",")}\r\n`;
}

/**
 * Every cell is quoted (RFC 4180). What came from a caller or a page must not become a formula when somebody opens the file
 * (https://owasp.org/www-community/attacks/CSV_Injection): an apostrophe makes it text. Telephone numbers stay as they are.
 */
function cell(text: string): string {
  const safe = FORMULA.test(text) && !HARMLESS.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}
