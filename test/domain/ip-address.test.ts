import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCidr, parseIpAddress } from "../../src/domain/ip-address.ts";

describe("an IP address", () => {
  it.each([
    ["192.0.2.7", [192, 0, 2, 7]],
    ["::", Array<number>(16).fill(0)],
    ["::1", [...Array<number>(15).fill(0), 1]],
    ["2001:db8::ff", [0x20, 1, 0x0d, 0xb8, ...Array<number>(11).fill(0), 0xff]],
    ["1:2:3:4:5:6:7::", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0]],
    ["::ffff:192.0.2.1", [...Array<number>(10).fill(0), 0xff, 0xff, 192, 0, 2, 1]],
  ])("%s is read", (text, bytes) => expect(parseIpAddress(text)).toEqual(bytes));

  it.each(["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.x", ":", ":::", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "::1.2.3", "::1.2.3.4:5", "1:2:3:4:5:6:7:8::", "fe80::1%eth0"])(
    "%j is none",
    (text) => expect(parseIpAddress(text)).toBeNull(),
  );

  it("is what the runtime takes for one", () => {
    const text = fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{0,20}$/));
    fc.assert(fc.property(text, (candidate) => parseIpAddress(candidate) !== null === (isIP(candidate) !== 0)), { numRuns: 2000 });
  });
});

describe("a network in CIDR form", () => {
  it.each(["192.0.2.0/24", "192.0.2.7/32", "0.0.0.0/0", "2001:db8::/32", "::/128"])("%s is one", (text) => expect(parseCidr(text)).not.toBeNull());
  it.each(["192.0.2.0", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/024", "::/129", "/24", "192.0.2.0/24/1"])("%s is none", (text) => expect(parseCidr(text)).toBeNull());
});
