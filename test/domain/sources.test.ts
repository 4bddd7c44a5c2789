import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Codec, SipTrunkSpec } from "../../src/domain/api.generated.ts";
import { parseCidr } from "../../src/domain/ip-address.ts";
import { resolveSources, sameConflicts, sourceMessage } from "../../src/domain/sources.ts";
import { aTrunk } from "./builders.ts";

type Spec = Partial<Pick<SipTrunkSpec, "host" | "sourceAddresses" | "codecs" | "mediaEncryption">>;
const G722 = { codecs: ["G722"] as Codec[] };
const from = (...sourceAddresses: string[]): Spec => ({ sourceAddresses });

/** Two trunks, `a` with the usual settings and `b` with another codec unless told; what both are said to have in common. */
function shared(a: Spec, b: Spec): readonly (string | undefined)[] {
  const found = resolveSources([aTrunk(a, { key: "one/a" }), aTrunk({ ...G722, ...b }, { key: "two/b" })]);
  return ["one/a", "two/b"].map((key) => found.get(key)?.[0]?.source);
}

describe("trunks share a source", () => {
  it.each<[string, Spec, Spec, string]>([
    ["when both name the same network", from("192.0.2.0/24"), from("192.0.2.0/24"), "192.0.2.0/24"],
    ["when one network is within the other: it is the smaller one", from("192.0.0.0/16"), from("192.0.2.0/24"), "192.0.2.0/24"],
    ["whichever of the two names the larger one", from("192.0.2.7/32"), from("0.0.0.0/0"), "192.0.2.7/32"],
    ["when networks are equal but for their host bits", from("192.0.2.77/24"), from("192.0.2.0/24"), "192.0.2.0/24"],
    ["when a host is an address of the other's network", { host: "192.0.2.7" }, from("192.0.2.0/24"), "192.0.2.7/32"],
    ["when an IPv4 address is written as IPv6", from("::ffff:192.0.2.0/120"), from("192.0.2.9/32"), "192.0.2.9/32"],
    ["in IPv6, however it is written", from("2001:DB8:0:0::/32"), { host: "2001:db8::1" }, "2001:db8::1/128"],
    ["when their hosts have one name, but for capitals", { host: "SIP.carrier.example" }, { host: "sip.Carrier.example" }, "sip.carrier.example"],
    ["when one network of many is within another", from("198.51.100.0/24", "192.0.2.0/24"), from("203.0.113.0/24", "192.0.2.128/25"), "192.0.2.128/25"],
  ])("%s", (_, a, b, source) => expect(shared(a, b)).toEqual([source, source]));

  it.each<[string, Spec, Spec]>([
    ["when networks are next to each other", from("192.0.2.0/25"), from("192.0.2.128/25")],
    ["when a name begins like the other", { host: "sip.carrier.example" }, { host: "sip.carrier.example.com" }],
    ["when the host is one, but calls come from elsewhere", { host: "192.0.2.7" }, { host: "192.0.2.7", ...from("198.51.100.0/24") }],
    ["of all IPv4 and all IPv6", from("0.0.0.0/0"), from("::/0")],
    ["when their settings are the same", from("192.0.2.0/24"), { ...from("192.0.2.0/24"), codecs: ["PCMU", "PCMA"] }],
  ])("with other settings not %s", (_, a, b) => expect(shared(a, b)).toEqual([undefined, undefined]));
});

describe("what is said of it", () => {
  it.each<[Spec, string]>([
    [G722, "codecs differs"],
    [{ mediaEncryption: "DTLS" }, "mediaEncryption differs"],
    [{ codecs: ["PCMA", "PCMU"], mediaEncryption: "SDES", host: "2001:db8::1" }, "codecs and mediaEncryption and the address family of host differ"],
  ])("%j", (spec, differs) => {
    const found = resolveSources([aTrunk(from("192.0.2.0/24"), { key: "one/a" }), aTrunk({ ...spec, ...from("192.0.2.0/24") }, { key: "two/b" })]);
    const words = "Asterisk takes such a call for one of the trunk that it finds first, with the settings of that one; the number that is called still decides where it goes";
    expect(sourceMessage(found.get("one/a") ?? [])).toBe(`calls from 192.0.2.0/24 are also those of SipTrunk two/b, of which ${differs}; ${words}`);
  });

  it("names at most three others", () => {
    const many = [1, 2, 3, 4, 5].map((n) => aTrunk({ ...G722, ...from("192.0.2.0/24") }, { key: `many/t${n}` }));
    const message = sourceMessage(resolveSources([...many, aTrunk(from("192.0.2.7/32"), { key: "one/a" })]).get("one/a") ?? []);
    expect(message?.match(/many\/t\d/g)).toEqual(["many/t1", "many/t2", "many/t3"]);
    expect(message).toContain("; and more; Asterisk");
  });

  it("is nothing without a conflict", () => expect(sourceMessage([])).toBeNull());
});

describe("many trunks", () => {
  const network = fc.tuple(fc.constantFrom("10.0.0.0", "10.0.0.1", "10.0.1.0", "10.128.0.0"), fc.constantFrom(0, 8, 9, 23, 24, 31, 32)).map(([address, length]) => `${address}/${length}`);
  const codecs = fc.constantFrom<Codec[]>(["PCMU"], ["PCMA"], ["G722"], ["OPUS"], ["PCMU", "PCMA"], ["PCMA", "PCMU"], ["G722", "OPUS"]);
  const trunks = fc.array(fc.record({ sourceAddresses: fc.array(network, { minLength: 1, maxLength: 3 }), codecs }), { maxLength: 12 });

  it("any of them: exactly those that share a network with another of other settings are told, of as many as are kept", () => {
    fc.assert(
      fc.property(trunks, (specs) => {
        const entries = specs.map((spec, i) => aTrunk(spec, { key: `ns/t${i}` }));
        const found = resolveSources(entries);
        for (const { key, spec } of entries) {
          const others = entries.filter((other) => other.spec.codecs.join() !== spec.codecs.join() && overlaps(other.spec, spec)).map((other) => other.key);
          const said = (found.get(key) ?? []).map(({ other }) => other);
          expect(said.filter((other) => !others.includes(other))).toEqual([]);
          expect(said).toHaveLength(Math.min(4, others.length));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("a thousand with a hundred networks each, all of them everybody's, take no longer than a moment", () => {
    const sourceAddresses = Array.from({ length: 100 }, (_, i) => `10.${i}.0.0/16`);
    const entries = Array.from({ length: 1_000 }, (_, i) => aTrunk({ sourceAddresses, codecs: i % 2 === 0 ? ["PCMU"] : ["PCMA"] }, { key: `ns/t${i}` }));
    const began = performance.now();
    const found = resolveSources(entries);
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(found.size).toBe(1_000);
    expect(sameConflicts(found.get("ns/t0") ?? [], resolveSources([...entries].reverse()).get("ns/t0") ?? [])).toBe(true);
  });
});

function overlaps(a: SipTrunkSpec, b: SipTrunkSpec): boolean {
  return (a.sourceAddresses ?? []).some((one) => (b.sourceAddresses ?? []).some((other) => bothHold(one, other)));
}

function bothHold(a: string, b: string): boolean {
  const [one, other] = [parseCidr(a)!, parseCidr(b)!];
  const bits = Math.min(one.prefixLength, other.prefixLength);
  const value = (address: readonly number[]) => address.reduce((sum, byte) => sum * 256 + byte, 0);
  return Math.floor(value(one.address) / 2 ** (32 - bits)) === Math.floor(value(other.address) / 2 ** (32 - bits));
}
