import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { outgoingEndpoints, passwordlessEndpoints, trunkEndpoint } from "../../src/domain/asterisk-names.ts";
import { unescapeValue } from "../../src/domain/asterisk-escape.ts";
import { readConfig } from "../../src/domain/asterisk-reader.ts";
import { readPjsip, registrationsIn, renderPjsip, sourceNamesIn } from "../../src/domain/pjsip.ts";
import { anAsteriskTrunk } from "./asterisk-builders.ts";

const TRUNKS = [
  anAsteriskTrunk("acme/carrier", { sourceAddresses: ["192.0.2.0/24", "2001:db8::/64"], keepAlive: { optionsIntervalSeconds: 30 } }),
  anAsteriskTrunk("acme/registered", {
    host: "sip.carrier.example",
    port: 5061,
    transport: "TLS",
    mediaEncryption: "SDES",
    codecs: ["OPUS", "G722", "PCMA"],
    registration: "Enabled",
    authentication: { secretRef: { name: "login" } },
    callerId: { from: "Fixed", fixed: { number: "+12025550100" }, pAssertedIdentity: "Caller", diversion: "Tracking" },
  }),
  anAsteriskTrunk("beta/v6", { host: "2001:db8::5", transport: "TCP", mediaEncryption: "DTLS", authentication: { secretRef: { name: "missing" } } }),
];
const CREDENTIALS = new Map([["acme/login", { username: "user@realm", password: 'p;w\\;"[x]#${y}' }]]);

describe("renderPjsip", () => {
  test("gives the golden file", async () => {
    const { content } = renderPjsip({ trunks: TRUNKS, credentials: CREDENTIALS });
    await expect(content).toMatchFileSnapshot("../golden/pjsip.conf");
  });

  test("is the same for the same input in any order", () => {
    const expected = renderPjsip({ trunks: TRUNKS, credentials: CREDENTIALS });
    expect(renderPjsip({ trunks: [...TRUNKS].reverse(), credentials: CREDENTIALS })).toEqual(expected);
  });

  test("lists its endpoints, and has neither an anonymous one nor one that is identified otherwise than by address", () => {
    const { content, endpoints } = renderPjsip({ trunks: TRUNKS, credentials: CREDENTIALS });
    expect(endpoints).toEqual(TRUNKS.map(({ key }) => trunkEndpoint(key)));
    expect(content).not.toContain("anonymous");
    expect(content.match(/identify_by = (.*)/g)).toEqual(TRUNKS.map(() => "identify_by = ip"));
  });

  test("says what each trunk registers as, and registers anew when the credentials change", () => {
    const [file, same, other] = ['p;w\\;"[x]#${y}', 'p;w\\;"[x]#${y}', "another"].map((password) => {
      return renderPjsip({ trunks: TRUNKS, credentials: new Map([["acme/login", { username: "user@realm", password }]]) }).content;
    });
    expect(registrationsIn(file!)).toEqual(new Map([[trunkEndpoint("acme/registered"), "sip:user%40realm@sip.carrier.example:5061;transport=tls"]]));
    const retries = (content: string | undefined) => /max_retries = (\d+)/.exec(content!)?.[1];
    expect(retries(same)).toBe(retries(file));
    expect(retries(other)).not.toBe(retries(file));
    expect(registrationsIn(renderPjsip({ trunks: TRUNKS, credentials: new Map() }).content)).toEqual(new Map());
  });

  test("says which trunks are known by a host's name", () => {
    const { content } = renderPjsip({ trunks: TRUNKS, credentials: CREDENTIALS });
    expect(sourceNamesIn(content)).toEqual(new Map([[trunkEndpoint("acme/registered"), "sip.carrier.example"]]));
  });

  test("a trunk whose Secret is missing neither authenticates nor registers", () => {
    const trunk = TRUNKS[1]!;
    const { content } = renderPjsip({ trunks: [trunk], credentials: new Map() });
    expect(content).not.toMatch(/outbound_auth|type = auth|type = registration/);
  });

  test("an IPv4 network that is written as IPv6 is rendered as IPv4: Asterisk would recognise none of the trunk's calls", () => {
    const trunk = anAsteriskTrunk("acme/mapped", { sourceAddresses: ["::ffff:192.0.2.0/120", "2001:db8::7/64"] });
    expect(renderPjsip({ trunks: [trunk], credentials: new Map() }).content.match(/match = .*/g)).toEqual(["match = 192.0.2.0/24", "match = 2001:db8::/64"]);
  });

  test.each([
    ["a host with a line end", { host: "a\nb" }, "spec.host"],
    ["a host with a parameter", { host: "a;b=c" }, "spec.host"],
    ["a port of 0", { port: 0 }, "spec.port"],
    ["a network without length", { sourceAddresses: ["192.0.2.1"] }, "spec.sourceAddresses[0]"],
    ["a network that is text", { sourceAddresses: ["192.0.2.0/24", "x\n[y]"] }, "spec.sourceAddresses[1]"],
    ["a fixed caller ID that is no number", { callerId: { from: "Fixed", pAssertedIdentity: "None", diversion: "None" } }, "spec.callerId.fixed.number"],
    ["a negative interval", { keepAlive: { optionsIntervalSeconds: -1 } }, "spec.keepAlive.optionsIntervalSeconds"],
  ] as const)("refuses %s, naming trunk and field", (_, spec, field) => {
    expect(() => renderPjsip({ trunks: [anAsteriskTrunk("acme/bad", spec as object)], credentials: new Map() })).toThrow(
      expect.objectContaining({ code: "InvalidInput", field, message: expect.stringContaining("trunk acme/bad: ") as string }),
    );
  });

  test("any credentials are read back as they are, or refused without being shown", () => {
    const text = fc.oneof(fc.string({ minLength: 1 }), fc.string({ unit: "binary", minLength: 1 }));
    fc.assert(
      fc.property(text, text, (username, password) => {
        const trunk = TRUNKS[1]!;
        try {
          const { content } = renderPjsip({ trunks: [trunk], credentials: new Map([["acme/login", { username, password }]]) });
          const sections = readConfig(content);
          const [first, id] = [sections[0]!.name, trunkEndpoint(trunk.key)];
          const inherited = sections.slice(1, 9).map(({ base, entries }) => [base, ...entries]);
          expect(inherited).toEqual([[first], [first], [first], [first, ["outbound_auth", id]], [id], [id], [id], [id]]);
          expect([sections[0]!, ...sections.slice(9)].map(({ entries }) => entries[0])).toEqual(
            ["endpoint", "aor", "identify", "auth", "registration", "aor"].map((type) => ["type", type]),
          );
          expect(sections[11]!.entries.slice(2).map(([, value]) => unescapeValue(value))).toEqual([username, password]);
        } catch (error) {
          expect(error).toMatchObject({ code: "InvalidInput" });
          if (password.length > 6) expect(String(error)).not.toContain(password);
        }
      }),
    );
  });
});

describe("readPjsip", () => {
  test("finds the hash and the endpoints of a whole file", () => {
    const { content, hash, endpoints } = renderPjsip({ trunks: TRUNKS, credentials: CREDENTIALS });
    const { outgoing } = readPjsip(content);
    expect(readPjsip(content)).toEqual({ hash, endpoints, outgoing });
    expect(outgoing.toSorted()).toEqual(TRUNKS.flatMap(({ key, spec }) => {
      const id = trunkEndpoint(key);
      return [...outgoingEndpoints(id), ...(spec.authentication === undefined ? [] : passwordlessEndpoints(id))];
    }).toSorted());
  });

  test.each([
    ["a file that is cut off", (content: string) => content.slice(0, content.length / 2)],
    ["a file that lost whole lines at the end", (content: string) => `${content.split("\n").slice(0, -5).join("\n")}\n`],
    ["a changed value", (content: string) => content.replace("5061", "5062")],
    ["a value after the marker", (content: string) => `${content}max_contacts = 5\n`],
    ["an empty file", () => ""],
  ])("refuses %s", (_, damage) => {
    expect(() => readPjsip(damage(renderPjsip({ trunks: TRUNKS, credentials: CREDENTIALS }).content))).toThrow(
      expect.objectContaining({ code: "InvalidInput" }),
    );
  });
});
