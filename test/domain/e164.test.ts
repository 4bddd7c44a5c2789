import fc from "fast-check";
import { getCountries, getCountryCallingCode, parsePhoneNumberFromString } from "libphonenumber-js/max";
import { describe, expect, test } from "vitest";
import { formatNumber, maskCaller, parseCaller, parseE164, plausibility, telUri } from "../../src/domain/e164.ts";
import { e164 } from "./builders.ts";

describe("parseE164", () => {
  test.each([
    ["the shortest number is taken", "+1234567", true],
    ["the longest number is taken", "+123456789012345", true],
    ["six digits are too few", "+123456", false],
    ["sixteen digits are too many", "+1234567890123456", false],
    ["a country code never begins with 0", "+0123456789", false],
    ["the plus sign is required", "12025550100", false],
    ["separators are refused", "+1 202 555 0100", false],
    ["a newline at the end is refused", "+12025550100\n", false],
    ["digits of other scripts are refused", "+1202555٠١٠٠", false],
    ["nothing is refused", "", false],
    ["dialplan is refused", "+1202555${SHELL(id)}", false],
  ])("%s", (_, text, taken) => {
    expect(parseE164(text)).toBe(taken ? text : null);
  });

  test("what it takes has the form of the API's schema, whatever is given", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\+?[0-9]{0,17}$/)), (text) => {
        expect(parseE164(text) !== null).toBe(/^\+[1-9][0-9]{6,14}$/.test(text) && !text.includes("\n"));
      }),
    );
  });
});

describe("parseCaller takes a SIP From user for a number only when it surely is one", () => {
  test.each([
    ["with plus", "+12025550143", "+12025550143"],
    ["without plus, as many carriers send it", "12024561111", "+12024561111"],
    ["with the international prefix 00", "004930901820", "+4930901820"],
    ["ten digits without plus may be a national number", "2025550143", null],
    ["a national number with trunk prefix", "03090182000", null],
    ["digits that exist in no country's plan", "10000000000", null],
    ["withheld", "anonymous", null],
    ["empty", "", null],
    ["an extension", "1001", null],
    ["a number with parameters", "+12025550143;phone-context=x", null],
    ["dialplan", "+1202${SHELL(id)}", null],
    ["SQL", "+12025550143'; drop table calls;--", null],
    ["a line break", "+12025550143\r\nX-Evil: 1", null],
    ["ten kilobytes", "1".repeat(10_000), null],
  ])("%s", (_, text, expected) => {
    expect(parseCaller(text)).toBe(expected);
  });

  test("never throws and never answers anything but E.164", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
        const number = parseCaller(text);
        expect(number === null || /^\+[1-9][0-9]{6,14}$/.test(number)).toBe(true);
      }),
    );
  });
});

describe("formatNumber", () => {
  test.each([
    ["+12025550110", "National", "(202) 555-0110"],
    ["+12025550110", "International", "+1 202 555 0110"],
    ["+12025550110", "E164", "+12025550110"],
    ["+4930901820", "National", "030 901820"],
    ["+4930901820", "International", "+49 30 901820"],
    ["+442071838750", "National", "020 7183 8750"],
    ["+9991234567", "National", "+9991234567"],
  ] as const)("%s as %s is %s", (number, format, expected) => {
    expect(formatNumber(e164(number), format)).toBe(expected);
    expect(formatNumber(e164(number), format)).toBe(expected); // and once more from the cache
  });

  test("stays right when the cache overflows", () => {
    for (let i = 0; i < 20_100; i += 1) formatNumber(e164(`+1202${2_000_000 + i * 100}`), "National");
    expect(formatNumber(e164("+12022000000"), "National")).toBe("(202) 200-0000");
    expect(formatNumber(e164("+12024010099"), "National")).toBe("(202) 401-0099");
  });

  test("is what libphonenumber says, in every country, also when numbers nearby were written before", () => {
    const codes = [...new Set(getCountries().map((country) => getCountryCallingCode(country)))];
    const digits = fc.stringMatching(/^[0-9]{4,12}$/);
    const tail = fc.stringMatching(/^[0-9]{2}$/);
    const cases = fc.record({ code: fc.constantFrom(...codes), middle: digits, before: tail, after: tail, format: fc.constantFrom("National" as const, "International" as const) });
    fc.assert(
      fc.property(cases, ({ code, middle, before, after, format }) => {
        const stem = `+${code}${middle}`.slice(0, 14);
        formatNumber(e164(stem + before), format);
        const said = parsePhoneNumberFromString(stem + after, { extract: false })?.format(format === "National" ? "NATIONAL" : "INTERNATIONAL") ?? stem + after;
        expect(formatNumber(e164(stem + after), format)).toBe(said);
      }),
      { numRuns: 3000 },
    );
  });
});

test("a tel URI is global", () => {
  expect(telUri(e164("+12025550110"))).toBe("tel:+12025550110");
});

describe("plausibility", () => {
  test.each([
    ["a number of the plan", "+12024561111", "Valid"],
    ["the right length, but in nobody's plan", "+11025550100", "Possible"],
    ["a length that the country doesn't have", "+120255501", "Impossible"],
    ["an unknown country", "+9991234567", "Impossible"],
  ])("%s", (_, number, expected) => {
    expect(plausibility(e164(number))).toBe(expected);
  });
});

describe("maskCaller", () => {
  test.each([
    ["keeps country and area", "+12025550143", "+1202*******"],
    ["hides most of a short number", "+1234567", "+1234***"],
    ["says that there is none", null, "withheld"],
    ["shows nothing of what is no number", "Robert'); drop table", "[20 characters]"],
  ])("%s", (_, number, expected) => {
    expect(maskCaller(number)).toBe(expected);
  });
});
