import { randomUUID } from "node:crypto";

import { describe, expect, test } from "vitest";

import { assertSipUri, dialString, fallbackContext, outgoingEndpoint, outgoingEndpoints, passwordlessEndpoints, poolContext, trunkEndpoint, uriHost } from "../../src/domain/asterisk-names.ts";
import { anAsteriskTrunk } from "./asterisk-builders.ts";

describe("trunkEndpoint", () => {
  test("is readable, short and the same every time", () => {
    expect(trunkEndpoint("acme/carrier")).toBe("trunk-acme-carrier-1cacce69da");
    const long = trunkEndpoint(`${"n".repeat(63)}/${"t".repeat(63)}`);
    expect(long).toMatch(/^[a-z0-9-]{1,40}$/);
  });

  test("tells keys apart that read the same", () => {
    const names = ["a-b/c", "a/b-c", "a.b/c", `${"x".repeat(63)}/y`, `${"x".repeat(63)}/z`].map(trunkEndpoint);
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(["", "acme", "Acme/carrier", "acme/car rier", "acme/${SHELL(x)}", "acme/a/b", "acme/]\n[x"])("refuses the key %j", (key) => {
    expect(() => trunkEndpoint(key)).toThrow("must be namespace/name");
    expect(() => poolContext(key)).toThrow("must be namespace/name");
    expect(() => fallbackContext(key)).toThrow("must be namespace/name");
  });

  test("context names fit into Asterisk's 79 characters", () => {
    expect(fallbackContext(`${"n".repeat(63)}/${"p".repeat(63)}`).length).toBeLessThan(80);
  });
});

describe("outgoingEndpoint", () => {
  const key = `${"n".repeat(63)}/${"t".repeat(63)}`;
  const longest = trunkEndpoint(key);
  const plain = anAsteriskTrunk(key, { host: "sip.carrier.example" });
  const secret = anAsteriskTrunk(key, { host: "sip.carrier.example", authentication: { secretRef: { name: "login" } } });

  test("is one of the trunk's, and calls are spread evenly", () => {
    const placed = Array.from({ length: 4_000 }, () => outgoingEndpoint(plain, "+12025550199", randomUUID()));
    const counts = outgoingEndpoints(longest).map((endpoint) => placed.filter((one) => one === endpoint).length);
    expect(counts.reduce((sum, count) => sum + count)).toBe(placed.length);
    // Six times the standard deviation.
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(165);
  });

  test("is the same for all legs of a call, and can be dialled", () => {
    const call = randomUUID();
    expect(outgoingEndpoint(plain, "+12025550199", call)).toBe(outgoingEndpoint(plain, "+12025550142", call));
    const all = [...outgoingEndpoints(longest), ...passwordlessEndpoints(longest)];
    for (const endpoint of all) expect(dialString("+12025550199", endpoint)).toBe(`PJSIP/+12025550199@${endpoint}`);
  });

  test.each([
    ["a number", secret, "+12025550199", "-out"],
    ["a SIP URI of the trunk's host", secret, "sip:desk@SIP.carrier.example:5070", "-out"],
    ["a SIP URI of another host", secret, "sip:desk@pbx.example", "-uri"],
    ["a SIP URI of another host, of a trunk that has no password to give away", plain, "sip:desk@pbx.example", "-out"],
    ["an IPv6 address that is not the trunk's", secret, "sip:desk@[2001:db8::1]", "-uri"],
    ["the trunk's IPv6 address", anAsteriskTrunk(key, { host: "2001:db8::1", authentication: { secretRef: { name: "login" } } }), "sip:[2001:DB8::1]:5061", "-out"],
  ])("of %s", (_, trunk, destination, suffix) => {
    expect(outgoingEndpoint(trunk, destination)).toBe(`${longest}${suffix}`);
  });
});

describe("dialString", () => {
  test.each([
    ["+12025550199", "PJSIP/+12025550199@trunk-a-b-0123456789"],
    ["sip:reception@pbx.example.com", "PJSIP/trunk-a-b-0123456789/sip:reception@pbx.example.com"],
    ["sips:a.b+c_d-e@192.0.2.1:5061;transport=tls", "PJSIP/trunk-a-b-0123456789/sip:a.b+c_d-e@192.0.2.1:5061;transport=tls"],
    ["sips:desk@pbx.example", "PJSIP/trunk-a-b-0123456789/sip:desk@pbx.example;transport=tls"],
    ["sips:[2001:db8::1];transport=tcp", "PJSIP/trunk-a-b-0123456789/sip:[2001:db8::1];transport=tls"],
    ["sip:[2001:db8::1]:5070", "PJSIP/trunk-a-b-0123456789/sip:[2001:db8::1]:5070"],
  ])("calls %s as %s", (destination, expected) => {
    expect(dialString(destination, "trunk-a-b-0123456789")).toBe(expected);
  });

  test.each([
    "",
    "12025550199",
    "+1202555019x",
    "sip:",
    "sip:a@",
    "sip:a@b..c",
    "sip:a@-b",
    "sip:a@host:0",
    "sip:a@host:65536",
    "sip:a@[::g]",
    "sip:a b@host",
    "sip:a@host&PJSIP/+1900@trunk",
    "sip:a@host,60,g",
    "sip:a@host;transport=tcp;x=y",
    "sip:a@host?Subject=x",
    "sip:${SHELL(x)}@host",
    "sip:a%0d%0a@host",
    "sip:a:secret@host",
    "tel:+12025550199",
    `sip:${"a".repeat(10_000)}@host`,
  ])("refuses %j", (destination) => {
    expect(() => dialString(destination, "trunk-a-b-0123456789")).toThrow(expect.objectContaining({ code: "InvalidInput", field: "destination" }));
  });

  test("refuses an endpoint that is no endpoint", () => {
    expect(() => dialString("+12025550199", "x&PJSIP/y")).toThrow(expect.objectContaining({ field: "endpoint" }));
  });
});

test("an IPv6 host gets brackets in a URI, a name stays, anything else is refused", () => {
  expect(uriHost("2001:db8::1")).toBe("[2001:db8::1]");
  expect(uriHost("sip.carrier.example")).toBe("sip.carrier.example");
  for (const host of ["a;b", "192.0.2.256", "192.0.2", "1234", "fe80::1%eth0"]) expect(() => uriHost(host)).toThrow("must be a host name or an IP address");
  expect(() => assertSipUri("sip:a@b c")).toThrow("must be a number in E.164 form or sip:user@host:port");
});
