import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { programPjsip, runningPjsipRevision } from "../../../src/adapters/asterisk-config/pjsip.ts";
import { registrationStates } from "../../../src/adapters/ari/registrations.ts";
import { trunkEndpoint } from "../../../src/domain/asterisk-names.ts";
import { registrationsIn, renderPjsip } from "../../../src/domain/pjsip.ts";
import type { AriRest } from "../../../src/domain/ports.ts";
import { anAsteriskTrunk } from "../../domain/asterisk-builders.ts";
import { startTestAsterisk, type TestAsterisk } from "../../harness/asterisk.ts";
import { startCarrier } from "../../harness/carrier.ts";
import { loopbackAddress } from "../../harness/ports.ts";
import { eventually } from "../../harness/process.ts";
import { startSippServer } from "../../harness/sipp.ts";
import { ariOverHttp } from "./ari-fetch.ts";
import { REGISTRAR } from "./scenarios.ts";

let asterisk: TestAsterisk;
let ari: AriRest;
let dir: string;
let file: string;

const QUIET = { keepAlive: { optionsIntervalSeconds: 0 } };
const ONE = renderPjsip({ trunks: [anAsteriskTrunk("acme/one", { host: "127.0.0.9", ...QUIET })], credentials: new Map() });
const PASSWORD = 'p;w\\;"[x]#${y} =>';
const TWO = renderPjsip({
  trunks: [
    anAsteriskTrunk("acme/one", { host: "127.0.0.9", port: 5070, ...QUIET }),
    anAsteriskTrunk("acme/two", {
      host: "127.0.0.10",
      sourceAddresses: ["127.0.0.10/32", "127.0.1.0/24"],
      transport: "TCP",
      mediaEncryption: "SDES",
      codecs: ["PCMA", "PCMU"],
      authentication: { secretRef: { name: "login" } },
      ...QUIET,
    }),
  ],
  credentials: new Map([["acme/login", { username: "us;er", password: PASSWORD }]]),
});

beforeAll(async () => {
  asterisk = await startTestAsterisk();
  ari = ariOverHttp(asterisk.ari);
  dir = asterisk.configDir;
  file = join(dir, "pjsip.d/trunks.conf");
});
afterAll(() => asterisk.stop());

async function allAttributesOf(type: string, key: string): Promise<readonly (readonly [attribute: string, value: string])[]> {
  const answer = await ari.request("GET", `/asterisk/config/dynamic/res_pjsip/${type}/${trunkEndpoint(key)}`);
  return (answer as { attribute: string; value: string }[]).map(({ attribute, value }) => [attribute, value]);
}

/** The last one of each name. */
async function attributesOf(type: string, key: string): Promise<Record<string, string>> {
  return Object.fromEntries(await allAttributesOf(type, key));
}

describe("programPjsip", () => {
  test("makes Asterisk run the trunks and proves it", async () => {
    expect(await programPjsip({ dir, ari, content: ONE.content })).toEqual({ unidentified: [] });
    expect(await runningPjsipRevision(ari)).toBe(ONE.hash);
    expect(await ari.request("GET", `/endpoints/PJSIP/${trunkEndpoint("acme/one")}`)).toMatchObject({ technology: "PJSIP" });
  });

  test("a change of a trunk and a new one arrive, with every value as it was given", async () => {
    await programPjsip({ dir, ari, content: TWO.content });
    expect(await attributesOf("aor", "acme/one")).toMatchObject({ contact: "sip:127.0.0.9:5070" });
    expect(await attributesOf("aor", "acme/two")).toMatchObject({ contact: "sip:127.0.0.10:5060;transport=tcp", max_contacts: "0" });
    expect(await attributesOf("auth", "acme/two")).toMatchObject({ username: "us;er", password: PASSWORD });
    expect(await attributesOf("endpoint", "acme/two")).toMatchObject({
      transport: "transport-tcp",
      context: "dialplane-inbound",
      allow: "(alaw|ulaw)",
      media_encryption: "sdes",
      allow_overlap: "false",
      allow_transfer: "false",
    });
    expect((await attributesOf("identify", "acme/two"))["match"]).toContain("127.0.1.0/255.255.255.0");
  });

  test("keeps the last good trunks when the file is damaged on its way", async () => {
    const damaging: AriRest = {
      async request(...call) {
        const isFirst = call[1].endsWith("/res_pjsip.so") && (await readFile(file, "utf8")) === ONE.content;
        if (isFirst) await writeFile(file, ONE.content.replace("[dialplane-revision]", "[dialplane-revision"));
        return ari.request(...call);
      },
    };
    const failed = programPjsip({ dir, ari: damaging, content: ONE.content });
    await expect(failed).rejects.toMatchObject({ code: "Unavailable", message: expect.stringContaining("the last good one runs") as string });
    expect(await runningPjsipRevision(ari)).toBe(TWO.hash);
    expect(await readFile(file, "utf8")).toBe(TWO.content);
    expect(await attributesOf("aor", "acme/two")).toMatchObject({ contact: "sip:127.0.0.10:5060;transport=tcp" });
  });

  test("refuses a file that is not whole before it writes anything", async () => {
    await expect(programPjsip({ dir, ari, content: ONE.content.slice(0, 200) })).rejects.toMatchObject({ code: "InvalidInput" });
    expect(await readFile(file, "utf8")).toBe(TWO.content);
  });

  test("a host name that does not resolve blocks no other trunk and is reported", async () => {
    const content = renderPjsip({
      trunks: [anAsteriskTrunk("acme/lost", { host: "no-such-host.invalid", ...QUIET }), anAsteriskTrunk("acme/one", { host: "127.0.0.9", ...QUIET })],
      credentials: new Map(),
    }).content;
    expect(await programPjsip({ dir, ari, content })).toEqual({ unidentified: [trunkEndpoint("acme/lost")] });
    expect(await attributesOf("identify", "acme/one")).toMatchObject({ endpoint: trunkEndpoint("acme/one") });
  });

  test("registers with the carrier and answers its challenge; the password is not on the wire", async () => {
    await using registrar = await startSippServer({ scenario: REGISTRAR, address: await loopbackAddress() });
    const trunk = anAsteriskTrunk("acme/registered", {
      host: registrar.address,
      registration: "Enabled",
      authentication: { secretRef: { name: "login" } },
      ...QUIET,
    });
    const credentials = new Map([["acme/login", { username: "us;er", password: PASSWORD }]]);
    await programPjsip({ dir, ari, content: renderPjsip({ trunks: [trunk], credentials }).content });
    const registers = await eventually("a second REGISTER", async () => {
      const seen = (await registrar.messages()).filter(({ startLine }) => startLine.startsWith("REGISTER"));
      return seen.length >= 2 ? seen : undefined;
    });
    expect(registers[0]!.header("From")).toContain(`<sip:us;er@${registrar.address}`);
    const response = (...parts: string[]) => createHash("md5").update(parts.join(":")).digest("hex");
    const authorization = registers[1]!.header("Authorization") ?? "";
    const uri = /uri="([^"]+)"/.exec(authorization)?.[1] ?? "";
    const expected = response(response("us;er", "carrier", PASSWORD), "abcdef", response("REGISTER", uri));
    expect(authorization).toContain(`response="${expected}"`);
    expect(registers.map(({ raw }) => raw).join("")).not.toContain(PASSWORD);
  });

  test("Asterisk says what became of a registration; a password that is put right is tried at once", async () => {
    await using carrier = await startCarrier();
    const trunks = [anAsteriskTrunk("acme/registered", { host: carrier.address, registration: "Enabled", authentication: { secretRef: { name: "login" } }, ...QUIET })];
    const address = `sip:user@${carrier.address}:5060`;
    const registeredWith = async (password: string, state: string) => {
      const { content } = renderPjsip({ trunks, credentials: new Map([["acme/login", { username: "user", password }]]) });
      expect(registrationsIn(content)).toEqual(new Map([[trunkEndpoint("acme/registered"), address]]));
      await programPjsip({ dir, ari, content });
      await eventually(`${state} with ${password}`, async () => (await registrationStates(asterisk.ari)).get(address) === state, 20_000);
    };
    await registeredWith("wrong", "Refused");
    await registeredWith(carrier.password, "Registered");
    await expect(registrationStates({ ...asterisk.ari, password: "wrong" })).rejects.toMatchObject({ code: "Unavailable", message: expect.stringContaining("401") as string });
    expect(await registrationStates({ ...asterisk.ari, url: `${asterisk.ari.url}/there/is/none` })).toEqual(new Map());
  });

  test.each(["TLS", "TCP", "UDP"] as const)("an endpoint over %s with each media encryption and all codecs is taken", async (transport) => {
    const trunks = (["None", "SDES", "DTLS"] as const).map((mediaEncryption) =>
      anAsteriskTrunk(`acme/${mediaEncryption.toLowerCase()}`, { host: "127.0.0.9", transport, mediaEncryption, codecs: ["OPUS", "G722", "PCMA", "PCMU"], ...QUIET }),
    );
    const { content, endpoints } = renderPjsip({ trunks, credentials: new Map() });
    expect(await programPjsip({ dir, ari, content })).toEqual({ unidentified: [] });
    expect(endpoints).toHaveLength(3);
    expect(await attributesOf("endpoint", "acme/dtls")).toMatchObject({ media_encryption: "dtls", allow: "(opus|g722|alaw|ulaw)" });
  });

  test("a trunk's calls are recognised whatever the form of its networks", async () => {
    const sourceAddresses = ["::ffff:192.0.2.0/120", "::ffff:192.0.2.77/128", "192.0.2.9/24", "::ffff:198.51.100.0/90", "::203.0.113.1/128", "64:ff9b::192.0.2.1/128", "2001:DB8:0:0::7/32", "fe80::1/10"];
    const trunks = [anAsteriskTrunk("acme/networks", { sourceAddresses, ...QUIET }), anAsteriskTrunk("acme/all", { sourceAddresses: ["::ffff:0:0/96", "::/0"], ...QUIET })];
    expect(await programPjsip({ dir, ari, content: renderPjsip({ trunks, credentials: new Map() }).content })).toEqual({ unidentified: [] });
    const networks = async (key: string) => (await allAttributesOf("identify", key)).flatMap(([name, value]) => (name === "match" ? [value] : []));
    expect(await networks("acme/networks")).toEqual([
      "192.0.2.0/255.255.255.0",
      "192.0.2.77/255.255.255.255",
      "192.0.2.0/255.255.255.0",
      "::ffc0:0:0/ffff:ffff:ffff:ffff:ffff:ffc0::",
      "::203.0.113.1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
      "64:ff9b::c000:201/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
      "2001:db8::/ffff:ffff::",
      "fe80::/ffc0::",
    ]);
    expect(await networks("acme/all")).toEqual(["0.0.0.0/0.0.0.0", "::/::"]);
  });

  test("a trunk that is gone is gone from Asterisk", async () => {
    await programPjsip({ dir, ari, content: renderPjsip({ trunks: [], credentials: new Map() }).content });
    await expect(attributesOf("endpoint", "acme/one")).rejects.toMatchObject({ status: 404 });
    await expect(attributesOf("identify", "acme/one")).rejects.toMatchObject({ status: 404 });
  });
});
