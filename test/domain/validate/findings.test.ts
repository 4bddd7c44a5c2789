import { describe, expect, it } from "vitest";
import type { NumberPoolSpec } from "../../../src/domain/api.generated.ts";
import { fieldName } from "../../../src/domain/validate/finding.ts";
import { numberPoolFindings } from "../../../src/domain/validate/numberpool.ts";
import { validTimeZone } from "../../../src/domain/schedule.ts";
import { isDnsSubdomain, isLabelValue, isQualifiedName } from "../../../src/domain/validate/names.ts";
import { aPoolSpec } from "../builders.ts";

describe("what a pool's validator finds", () => {
  it("is nothing in a million numbers in one range", () => {
    expect(numberPoolFindings(aPoolSpec({ ranges: [{ from: "+12020000000", to: "+12020999999" }] , defaultDestination: { sipUri: "sip:pbx.example" }}))).toEqual([]);
  });

  it("is a warning for each block that overlaps an earlier one, however far that one reaches", () => {
    const ranges = [
      { from: "+12025550100", to: "+12025550190" },
      { from: "+12025550110", to: "+12025550119" },
      { from: "+12025550180", to: "+12025550180" },
    ];
    expect(numberPoolFindings(aPoolSpec({ ranges })).map(({ path, message }) => `${fieldName(path)} ${message}`)).toEqual([
      "spec.ranges[1] should not hold +12025550110, which spec.ranges[0] holds already: it counts once",
      "spec.ranges[2] should not hold +12025550180, which spec.ranges[0] holds already: it counts once",
    ]);
    expect(new Set(numberPoolFindings(aPoolSpec({ ranges })).map(({ severity }) => severity))).toEqual(new Set(["warning"]));
  });

  it("counts a number once, however often it is listed", () => {
    const million = { from: "+12020000000", to: "+12020999999" };
    const defaultDestination = { sipUri: "sip:pbx.example" };
    const errors = (ranges: NumberPoolSpec["ranges"]) => numberPoolFindings(aPoolSpec({ ranges: ranges ?? [], defaultDestination })).filter(({ severity }) => severity === "error");
    expect(errors([million, million])).toEqual([]);
    expect(errors([million, { from: "+12021000000", to: "+12021000000" }])).toMatchObject([{ path: ["spec", "ranges"] }]);
  });

  it("tells numbers of different lengths apart, though one is the other's prefix", () => {
    expect(numberPoolFindings(aPoolSpec({ numbers: ["+4930901820", "+49309018201"] }))).toEqual([]);
  });

  it("is only a warning for a number of a length its country does not have", () => {
    const findings = numberPoolFindings(aPoolSpec({ numbers: ["+120255501"] }));
    expect(findings).toMatchObject([{ severity: "warning", path: ["spec", "numbers", 0] }]);
  });

  it("is a warning for an origin with its scheme's own port", () => {
    const findings = numberPoolFindings(aPoolSpec({ numbers: ["+12025550110"], allowedOrigins: ["https://a.example:443", "http://a.example:443", "http://[::1]:80"] }));
    expect(findings.map(({ severity, path }) => `${severity} ${fieldName(path)}`)).toEqual(["warning spec.allowedOrigins[0]", "warning spec.allowedOrigins[2]"]);
  });
});

describe("a field's name", () => {
  it.each([
    [["spec", "ranges", 0, "to"], "spec.ranges[0].to"],
    [["metadata", "labels", "example.com/team"], "metadata.labels[example.com/team]"],
    [["spec", "a\nb"], "spec[a\\nb]"],
    [["__proto__"], "[__proto__]"],
  ])("%j is written as Kubernetes does", (path, name) => expect(fieldName(path)).toBe(name));
});

describe("names", () => {
  it.each(["a", "a-b", "a.b-c.d1", "0"])("%s is a DNS subdomain", (name) => expect(isDnsSubdomain(name)).toBe(true));
  it.each(["", "A", "-a", "a-", "a..b", ".a", "a_b", "a".repeat(254), "a\n"])("%j is none", (name) => expect(isDnsSubdomain(name)).toBe(false));
  it.each(["a", "A_b.c-D", "example.com/a", "a".repeat(63)])("%s is a label's name", (name) => expect(isQualifiedName(name)).toBe(true));
  it.each(["", "/a", "a/", "a/b/c", "Ex.com/a", "-a", "a".repeat(64), "__proto__"])("%j is none", (name) => expect(isQualifiedName(name)).toBe(false));
  it.each(["", "a", "1.2_3-4"])("%j is a label's value", (value) => expect(isLabelValue(value)).toBe(true));
  it.each(["-", "a b", "a".repeat(64)])("%j is none", (value) => expect(isLabelValue(value)).toBe(false));
  it.each(["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])("%s is a time zone", (name) => expect(validTimeZone(name)).toBe(true));
  it.each(["Europe/Atlantis", "", "Mars"])("%j is none", (name) => expect(validTimeZone(name)).toBe(false));
});
