import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { dialplanDialString, dialplanText, pjsipValue, unescapeValue } from "../../src/domain/asterisk-escape.ts";
import { readConfig } from "../../src/domain/asterisk-reader.ts";

const HOSTILE = [
  "${SHELL(touch /tmp/x)}", "$[1+1]", "a,b", "a;b", 'a"b', "a'b", "a\\b", "a|b", "a&b", "a^b", "a\nb", "a\r[x]", "a\0b", "(a)", "[a]", "{a}",
  "_X.", "a b", "a\u2028b", "", "#include /etc/passwd", "a\ud800", "x".repeat(3_000),
];

describe("dialplanText", () => {
  test.each(HOSTILE)("refuses %j and names the field", (text) => {
    expect(() => dialplanText(text, "key")).toThrow(expect.objectContaining({ code: "InvalidInput", field: "key" }));
  });

  test.each(["acme/sales", "+12025550199", "a.b-c_d:e@f"])("leaves %j as it is", (text) => {
    expect(dialplanText(text)).toBe(text);
  });

  test("no text changes the structure of the file", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom(...HOSTILE)), (text) => {
        const written = attempt(() => dialplanText(text));
        fc.pre(written !== null);
        expect(readConfig(`[a]\nexten = s,1,NoOp(${written})\n same = n,Hangup()\n[b]\nk = v\n`)).toEqual([
          { name: "a", base: null, entries: [["exten", `s,1,NoOp(${text})`], ["same", "n,Hangup()"]] },
          { name: "b", base: null, entries: [["k", "v"]] },
        ]);
      }),
      { numRuns: 500 },
    );
  });
});

describe("dialplanDialString", () => {
  test("escapes the parameter's semicolon and keeps the brackets of an IPv6 address", () => {
    expect(dialplanDialString("PJSIP/t/sip:[2001:db8::1]:5060;transport=tcp")).toBe("PJSIP/t/sip:[2001:db8::1]:5060\\;transport=tcp");
  });

  test.each(["PJSIP/t/sip:a@h;x=y", "PJSIP/t/sip:a@h&Local/x", "PJSIP/t/sip:a@[h${X}]", "PJSIP/t,60"])("refuses %j", (text) => {
    expect(() => dialplanDialString(text)).toThrow("must not");
  });
});

describe("pjsipValue", () => {
  test.each(["a\nb", "a\rb", "a\0b", "a\u0085b", " a", "a ", "", "\t", "a\ud800", "é".repeat(1_100)])("refuses %j without showing it", (text) => {
    expect(() => pjsipValue(text, "password")).toThrow(expect.objectContaining({ code: "InvalidInput", field: "password" }));
    const message = String(attemptError(() => pjsipValue(text, "password")));
    expect(text.length > 2 && message.includes(text)).toBe(false);
  });

  test("every other text is read back as it was and the file's structure stays", () => {
    const secrets = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.stringMatching(/^[;\\[\]#=>"' a-]{1,30}$/));
    fc.assert(
      fc.property(secrets, (text) => {
        const written = attempt(() => pjsipValue(text));
        fc.pre(written !== null);
        const sections = readConfig(`[a]\npassword = ${written}\n[b]\nk = v\n`);
        expect(sections).toEqual([
          { name: "a", base: null, entries: [["password", written]] },
          { name: "b", base: null, entries: [["k", "v"]] },
        ]);
        expect(unescapeValue(written)).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("readConfig", () => {
  test.each([
    ["an unclosed section", "[a\nk = v\n"],
    ["a cut last line", "[a]\nk = v"],
    ["garbage", "[a]\nnonsense\n"],
    ["an include", "[a]\n#include /etc/passwd\n"],
    ["an exec", "#exec /bin/true\n"],
    ["a comment after a value", "[a]\nk = v ; rest\n"],
    ["a template", "[a](!)\n"],
    ["a base that is not there yet", "[a](b)\n[b]\n"],
    ["an entry before the first section", "k = v\n"],
    ["a line beyond Asterisk's buffer", `[a]\nk = ${"v".repeat(9_000)}\n`],
  ])("refuses %s, naming the line", (_, text) => {
    expect(() => readConfig(text)).toThrow(/line/);
  });
});

function attempt(make: () => string): string | null {
  try {
    return make();
  } catch {
    return null;
  }
}

function attemptError(make: () => string): unknown {
  try {
    return make();
  } catch (error) {
    return error;
  }
}
