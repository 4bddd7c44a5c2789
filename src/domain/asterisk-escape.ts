import { ExpectedError } from "./errors.ts";

/**
 * The one place that makes text safe for Asterisk's configuration files
 * (https://docs.asterisk.org, "Asterisk Configuration Files"). A line is cut at an unescaped `;`, at 8,191 bytes and at a line end;
 * values are trimmed; `[` and `#` have a meaning at the start of a line only, which is always a key that we write.
 */

/** Longest value in UTF-8 bytes: far below Asterisk's line buffer of 8,192. */
const MAX_VALUE_BYTES = 2_048;

/** What the dialplan gives a meaning to: variables, expressions, argument separators, quotes, escapes, parallel dialling. */
const DIALPLAN_META = /[${}[\](),;"'\\|&^<>`!%*~#\s]/;

const CONTROL = /[\x00-\x1f\x7f\u0085\u2028\u2029]/;

/**
 * Text that becomes part of a dialplan line as it is. Nothing is escaped: the dialplan expands and splits a value several times,
 * so what has a meaning is refused.
 *
 * @param field named in the error
 * @throws ExpectedError InvalidInput
 */
export function dialplanText(text: string, field = "value"): string {
  assertText(text, field);
  if (text === "" || text.startsWith("_") || DIALPLAN_META.test(text)) {
    throw refusal(field, "must not be empty, begin with _ or contain spaces or any of $ { } [ ] ( ) , ; \" ' \\ | & ^ < > ` ! % * ~ #");
  }
  return text;
}

/**
 * A dial string made by `dialString`. Its grammar leaves `;` (URI parameter) and `[` `]` (IPv6 address): the first is escaped
 * for the file, the others mean nothing without a `$` before them.
 */
export function dialplanDialString(text: string, field = "destination"): string {
  dialplanText(text.replaceAll(/;(?=transport=)|\[(?=[0-9A-Fa-f:.]+\])|(?<=\[[0-9A-Fa-f:.]+)\]/g, "-"), field);
  return escapeSemicolons(text);
}

/** A value of a PJSIP section. Any printable text: only `;` needs an escape, see `unescapeValue`. @throws ExpectedError InvalidInput */
export function pjsipValue(text: string, field = "value"): string {
  assertText(text, field);
  if (text.trim() !== text || text === "") {
    throw refusal(field, "must not be empty or begin or end with a space: Asterisk's configuration files can't hold it");
  }
  return escapeSemicolons(text);
}

/** What Asterisk reads for a value written by `pjsipValue`. */
export function unescapeValue(written: string): string {
  return written.replaceAll("\\;", ";");
}

/** A `;` preceded by a backslash is a plain `;`; any other backslash is itself, so `\;` in a text becomes `\\;`. */
function escapeSemicolons(text: string): string {
  return text.replaceAll(";", "\\;");
}

function assertText(text: string, field: string): void {
  if (CONTROL.test(text) || !text.isWellFormed()) {
    throw refusal(field, "must be one line of text without control characters");
  }
  if (Buffer.byteLength(text) > MAX_VALUE_BYTES) {
    throw refusal(field, `must be at most ${MAX_VALUE_BYTES} bytes`);
  }
}

/** The text itself is not shown: it may be a secret. */
function refusal(field: string, message: string): ExpectedError {
  return new ExpectedError("InvalidInput", `${field} ${message}`, { field });
}
