import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { csvLine, CSV_HEADER } from "../../src/domain/call-csv.ts";
import { cursorOf, parseCursor } from "../../src/domain/call-filter.ts";
import { aCall, aLeg } from "../adapters/postgres/world.ts";

/** The cells of one line, read by the rules of RFC 4180. */
function cellsOf(line: string): string[] {
  expect(line.endsWith("\r\n")).toBe(true);
  return [...line.slice(0, -2).matchAll(/(?:^|,)"((?:[^"]|"")*)"/gs)].map(([, cell = ""]) => cell.replaceAll('""', '"'));
}

const columns = cellsOf(CSV_HEADER.slice(1));
const cellOf = (column: string, line: string) => cellsOf(line)[columns.indexOf(column)];

test("the table begins with the mark by which spreadsheets know UTF-8, and the mark is in no other line", () => {
  expect(CSV_HEADER.startsWith('\ufeff"id",')).toBe(true);
  expect(csvLine(aCall())).not.toContain("\ufeff");
});

describe("a line of the table", () => {
  test("has every field that the header names", () => {
    const call = aCall({
      id: "a",
      receivedAt: new Date("2026-06-01T12:00:00Z"),
      bridgedAt: new Date("2026-06-01T12:00:10Z"),
      endedAt: new Date("2026-06-01T12:01:10.400Z"),
      end: "completed",
      attributes: { utm_source: 'the "news"' },
      legs: [aLeg("x", { result: "busy" }), aLeg("y", { destination: "sip:desk@pbx.example.com", result: "answered" })],
    });
    expect(Object.fromEntries(columns.map((name, n) => [name, cellsOf(csvLine(call))[n]]))).toEqual({
      id: "a", received_at: "2026-06-01T12:00:00.000Z", answered_at: "", ended_at: "2026-06-01T12:01:10.400Z", talk_seconds: "60",
      pool: "shop/sales", number: "+12020000000", caller: "+4930123456", outcome: "completed", hangup_cause: "", attribution: "none", visitor: "",
      media_element: "", attributes: '{"utm_source":"the \\"news\\""}', rule: "", answered_by: "",
      attempts: "busy +12025550141; answered sip:desk@pbx.example.com", pod: "pod-0",
    });
  });

  test("of a call in progress says so", () => {
    expect([cellOf("outcome", csvLine(aCall())), cellOf("talk_seconds", csvLine(aCall()))]).toEqual(["live", ""]);
  });

  test("has no semicolon out of a page: where it parts the cells, what follows would be one", () => {
    const attributes = { utm_source: 'x;=HYPERLINK("http://evil.example")' };
    const cell = cellOf("attributes", csvLine(aCall({ attributes }))) ?? "";
    expect(cell).not.toContain(";");
    expect(JSON.parse(cell)).toEqual(attributes);
  });

  test.each([
    ["a formula", "=1+1", "'=1+1"],
    ["a command", "@SUM(A1)", "'@SUM(A1)"],
    ["a difference", "-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"],
    ["a sum that looks like a number", "+1202555+1", "'+1202555+1"],
    ["a formula behind blanks", "  =1", "'  =1"],
    ["a formula behind a tab", "\t=1", "'\t=1"],
    ["a formula behind a line break", "\n=1", "'\n=1"],
    ["a full-width formula", "\uff1d1", "'\uff1d1"],
    ["a quote that would end the cell", '","=1', '","=1'],
    ["a telephone number", "+12025550110", "+12025550110"],
    ["a masked telephone number", "+1202*******", "+1202*******"],
    ["words", "hero", "hero"],
  ])("%s can't become a formula", (_, mediaElement, written) => {
    expect(cellOf("media_element", csvLine(aCall({ mediaElement })))).toBe(written);
  });

  test("keeps its cells apart whatever is in them, and none begins like a formula", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), (mediaElement, caller) => {
        const cells = cellsOf(csvLine(aCall({ mediaElement, caller })));
        expect(cells).toHaveLength(columns.length);
        for (const cell of cells) expect(cell).not.toMatch(/^[\s\p{Cc}]*[=@](?!\*)|^[\s\p{Cc}]*[+-](?![0-9*]+$)[^0-9*]/u);
      }),
    );
  });
});

describe("the cursor", () => {
  test("leads back to the call that it was made of", () => {
    const call = aCall();
    expect(parseCursor(cursorOf(call))).toEqual({ receivedAt: call.receivedAt, id: call.id });
  });

  test.each(["", "x", Buffer.from("x y").toString("base64url"), Buffer.from("999999999999999 a").toString("base64url"), Buffer.from("1 a\nb").toString("base64url")])(
    "%j is none",
    (text) => {
      expect(parseCursor(text)).toBeNull();
    },
  );
});
