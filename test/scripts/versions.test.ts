import { describe, expect, test } from "vitest";
import { atLeast, parseVersion } from "../../scripts/lib/versions.mjs";

describe("parseVersion", () => {
  const cases: Record<string, [string, string | undefined]> = {
    "reads what asterisk -V prints": ["Asterisk 22.10.1~dfsg+~cs6.17.1-2", "22.10.1"],
    "leaves out the epoch of a Debian version": ["1:22.10.1~dfsg-1", "22.10.1"],
    "reads what sipp -v prints": ["\n SIPp v3.6.1-SCTP-PCAP-RTPSTREAM.\n", "3.6.1"],
    "reads what chromium --version prints": ["Chromium 156.0.8078.79 built on Debian", "156.0.8078.79"],
    "reads what postgres --version prints": ["postgres (PostgreSQL) 18.4", "18.4"],
    "finds nothing in a text without a dotted number": ["Asterisk GIT-master-1", undefined],
  };
  test.each(Object.entries(cases))("%s", (_name, [text, version]) => {
    expect(parseVersion(text)).toBe(version);
  });
});

describe("atLeast", () => {
  const cases: Record<string, [string, string, boolean]> = {
    "the same version is enough": ["22.10", "22.10", true],
    "a patch more is enough": ["22.10.1", "22.10", true],
    "numbers are compared as numbers, not as text": ["22.9.3", "22.10", false],
    "an older major version is not enough": ["20.99.0", "22.10", false],
    "a newer major version is enough": ["23.0.0", "22.10", true],
    "parts that are missing count as zero": ["22", "22.0.0", true],
  };
  test.each(Object.entries(cases))("%s", (_name, [version, minimum, expected]) => {
    expect(atLeast(version, minimum)).toBe(expected);
  });
});
