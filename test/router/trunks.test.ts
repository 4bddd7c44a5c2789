import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startPstn } from "../../demo/pstn/pstn.ts";
import type { Pstn } from "../../demo/pstn/types.ts";
import type { TlsSettings } from "../../src/adapters/asterisk-process/transports.ts";
import type { SipTrunkSpec } from "../../src/domain/api.generated.ts";
import { aDestination } from "../domain/builders.ts";
import { testAsteriskLocation } from "../harness/asterisk.ts";
import { freeTcpPort, loopbackAddress } from "../harness/ports.ts";
import { eventually, temporaryFolder } from "../harness/process.ts";
import { startSippServer } from "../harness/sipp.ts";
import { createAuthority } from "../harness/x509.ts";
import { CALLER, DID, type RunningRouter, setRules, startTestRouter, startWorld, toUri, type World } from "./world.ts";

const DESK = "+12025550142";

describe.each([
  ["UDP", "None"],
  ["TCP", "None"],
  ["TLS", "SDES"],
] as const)("a trunk over %s with media encryption %s", (transport, mediaEncryption) => {
  const parts = new AsyncDisposableStack();
  let world: World;
  let pstn: Pstn;
  let router: RunningRouter;
  let host: string;

  beforeAll(async () => {
    const folder = await temporaryFolder("trunks");
    parts.defer(() => folder.remove());
    const carrier = await loopbackAddress();
    const product = await loopbackAddress();
    const tls = await identities(folder.path, { carrier, product });
    const trunk: Partial<SipTrunkSpec> = { host: carrier, transport, mediaEncryption, port: transport === "TLS" ? tls.carrier.server.port : 5060 };
    host = `${carrier}:${trunk.port}`;
    world = await startWorld("sip:nobody@127.0.0.9", { trunk, sipAddress: product, tls: tls.product });
    parts.defer(() => world.stop());
    router = await startTestRouter(world, { rule: { destinations: [aDestination({ name: "desk", number: DESK })] } });
    parts.defer(() => router.stop());
    pstn = await startPstn({
      location: await testAsteriskLocation(),
      dir: folder.path,
      address: carrier,
      productAddress: product,
      productPort: transport === "TLS" ? tls.product.server.port : world.asterisk.sipPort,
      transport: transport.toLowerCase() as "udp" | "tcp" | "tls",
      tls: tls.carrier,
      destinations: { [DESK]: "answer" },
    });
    parts.defer(() => pstn.stop());
  });
  afterAll(() => parts.disposeAsync());

  test("carries the call in and out, and both hear each other", async () => {
    const result = await pstn.call({ from: CALLER, to: DID, talkSeconds: 4 });
    expect(result.answeredBy).toBe(DESK);
    expect(result.heardByCaller).toMatchObject({ ok: true });
    expect(result.heardByAnswerer).toMatchObject({ ok: true });
    await eventually("the record", () => router.store.final().length === 1);
    expect(router.store.final()[0]).toMatchObject({ end: "completed", answeredBy: DESK, caller: CALLER });
    const invites = (await pstn.messages()).filter(({ startLine }) => startLine.startsWith("INVITE"));
    expect(invites).toHaveLength(2);
    for (const invite of invites) {
      expect(invite.header("Via")[0]).toContain(`SIP/2.0/${transport}`);
      expect(invite.raw.includes("a=crypto:")).toBe(mediaEncryption === "SDES");
      expect(invite.raw).toContain(mediaEncryption === "SDES" ? " RTP/SAVP " : " RTP/AVP ");
    }
  });

  test.each(transport === "TLS" ? ["sip:", "sips:"] : ["sip:"])("calls a %s URI, with its transport and without", async (scheme) => {
    for (const parameter of ["", `;transport=${transport.toLowerCase()}`]) {
      const uri = `${scheme}${DESK}@${host}${parameter}`;
      await setRules(world, router, { rule: { destinations: [aDestination({ name: "desk", sipUri: uri })] } });
      expect((await pstn.call({ from: CALLER, to: DID })).answeredBy).toBe(DESK);
      await eventually("the record", () => router.store.final().some(({ end, answeredBy }) => end === "completed" && answeredBy === uri));
    }
  });
});

describe("a trunk over TLS", () => {
  test("is not used when the carrier's certificate is of an unknown authority: the caller gets 503", async () => {
    await using parts = new AsyncDisposableStack();
    const folder = await temporaryFolder("trunks");
    parts.defer(() => folder.remove());
    const [carrier, product] = [await loopbackAddress(), await loopbackAddress()];
    const own = await identities(folder.path, { product });
    const strange = await identities(folder.path, { carrier }, "stranger");
    const world = await startWorld("sip:nobody@127.0.0.9", { trunk: { host: carrier, transport: "TLS", port: strange.carrier.server.port }, sipAddress: product, tls: own.product });
    parts.defer(() => world.stop());
    const router = await startTestRouter(world, { rule: { destinations: [aDestination({ name: "desk", number: DESK })] } });
    parts.defer(() => router.stop());
    const folder2 = await temporaryFolder("stranger");
    parts.defer(() => folder2.remove());
    const pstn = await startPstn({
      location: await testAsteriskLocation(),
      dir: folder2.path,
      address: carrier,
      productAddress: product,
      productPort: world.asterisk.sipPort,
      tls: strange.carrier,
      destinations: { [DESK]: "answer" },
    });
    parts.defer(() => pstn.stop());
    const result = await pstn.call({ from: CALLER, to: DID });
    expect(result.responses.at(-1)?.code).toBe(503);
    await eventually("the record", () => router.store.final().length === 1);
    expect(router.store.final()[0]).toMatchObject({ end: "congestion", legs: [{ result: "congestion" }] });
    expect((await pstn.messages()).filter(({ direction, startLine }) => direction === "received" && startLine.startsWith("INVITE"))).toEqual([]);
  });
});

describe("a trunk over IPv6", () => {
  test("carries the call in and out", async () => {
    await using parts = new AsyncDisposableStack();
    const desk = parts.use(await startSippServer({ scenario: "answer-200.xml", address: "::1", port: await freeTcpPort("::1") }));
    const settings = { trunk: { host: "::1", port: desk.port }, sipAddress6: "::1", sipPort: await freeTcpPort("::1") };
    const world = await startWorld("sip:nobody@127.0.0.9", settings);
    parts.defer(() => world.stop());
    const router = await startTestRouter(world, { rule: { destinations: [aDestination({ name: "desk", number: DESK })] } });
    parts.defer(() => router.stop());
    const result = await world.call({ target: `[::1]:${world.asterisk.sipPort}`, address: "::1", port: await freeTcpPort("::1") });
    expect(result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    const invite = (await desk.messages()).find(({ startLine }) => startLine.startsWith("INVITE"));
    expect(invite?.startLine).toBe(`INVITE sip:${DESK}@[::1]:${desk.port} SIP/2.0`);
    expect(invite?.body).toContain("c=IN IP6 ");
    await eventually("the record", () => router.store.final().length === 1);
    expect(router.store.final()[0]).toMatchObject({ end: "completed", answeredBy: DESK });
  });
});

describe("a carrier that writes number portability into the number (RFC 4694)", () => {
  test.each([";npdi", ";rn=+12025550000;npdi"])("reaches the pool with %s", async (parameters) => {
    await using parts = new AsyncDisposableStack();
    const desk = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
    const world = await startWorld("sip:nobody@127.0.0.9");
    parts.defer(() => world.stop());
    const router = await startTestRouter(world, { rule: { destinations: [aDestination({ name: "desk", sipUri: toUri(desk) })] } });
    parts.defer(() => router.stop());
    expect(await world.call({ to: `${DID}${parameters}` })).toMatchObject({ exitCode: 0 });
    await eventually("the record", () => router.store.final().length === 1);
    expect(router.store.final()[0]).toMatchObject({ did: DID, end: "completed" });
  });
});

describe("a trunk that prefers other codecs than the caller's", () => {
  test("offers the caller's first, so that nothing is converted", async () => {
    await using parts = new AsyncDisposableStack();
    const desk = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
    const world = await startWorld("sip:nobody@127.0.0.9", { trunk: { codecs: ["G722", "PCMA", "PCMU"] } });
    parts.defer(() => world.stop());
    const router = await startTestRouter(world, { rule: { destinations: [aDestination({ name: "desk", sipUri: toUri(desk) })] } });
    parts.defer(() => router.stop());
    expect(await world.call()).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    const invite = (await desk.messages()).find(({ startLine }) => startLine.startsWith("INVITE"));
    expect(invite?.body).toMatch(/RTP\/AVP 0 9 8 /);
  });
});

describe("a destination that speaks only Opus", () => {
  test("is put through to a caller who does not", async () => {
    await using parts = new AsyncDisposableStack();
    const answer = await readFile(join(import.meta.dirname, "../sipp/answer-200.xml"), "utf8");
    const opus = answer.replace("RTP/AVP 0\n", "RTP/AVP 107\n").replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:107 opus/48000/2");
    expect(opus).toContain("opus/48000");
    const desk = parts.use(await startSippServer({ scenario: opus }));
    const world = await startWorld("sip:nobody@127.0.0.9", { trunk: { codecs: ["PCMU", "OPUS"] } });
    parts.defer(() => world.stop());
    const router = await startTestRouter(world, { rule: { destinations: [aDestination({ name: "desk", sipUri: toUri(desk) })] } });
    parts.defer(() => router.stop());
    expect(await world.call({ holdMs: 1_000 })).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    await eventually("the record", () => router.store.final().length === 1);
    expect(router.store.final()[0]).toMatchObject({ end: "completed", answeredBy: toUri(desk) });
    const codec = await world.ari.request("GET", "/asterisk/modules/codec_opus_open_source.so").catch((error: unknown) => error);
    expect(codec).toMatchObject({ status: "Running" });
    expect(await readFile(world.asterisk.logFile, "utf8")).not.toMatch(/[Uu]nable to find a codec translation path|no translation path/);
  });
});

describe("an Asterisk behind NAT", () => {
  const SEEN = "198.51.100.7";
  test.each([
    ["tells a carrier on the Internet the address that it sees", ["10.0.0.0/8"], SEEN],
    ["tells a neighbour its own", ["10.0.0.0/8", "127.0.0.0/8"], null],
  ])("%s, in SIP and for the audio", async (_, localNetworks, seen) => {
    await using parts = new AsyncDisposableStack();
    const desk = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
    const sipAddress = await loopbackAddress();
    const world = await startWorld(toUri(desk), { sipAddress, seenAs: { address: SEEN, localNetworks } });
    parts.defer(() => world.stop());
    const router = await startTestRouter(world, { rule: { destinations: [aDestination({ name: "desk", sipUri: toUri(desk) })] } });
    parts.defer(() => router.stop());
    const caller = await world.call();
    expect(caller).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    const invite = (await desk.messages()).find(({ startLine }) => startLine.startsWith("INVITE"));
    const expected = seen ?? sipAddress;
    expect(invite?.header("Contact")).toContain(`@${expected}:${world.asterisk.sipPort}`);
    expect(invite?.header("Via")).toContain(`${expected}:${world.asterisk.sipPort}`);
    if (seen === null) expect(invite?.body).not.toContain(SEEN);
    else expect(invite?.body).toContain(`c=IN IP4 ${seen}`);
    await eventually("the record", () => router.store.final().length === 1);
  });
});

describe("a carrier that asks for a password", () => {
  const PASSWORD = "tr;unk-Secret";

  test("is given the digest of it with the second INVITE, and never the password", async () => {
    await using parts = new AsyncDisposableStack();
    const desk = parts.use(await startSippServer({ scenario: "challenged-200.xml" }));
    const settings = {
      trunk: { host: desk.address, authentication: { secretRef: { name: "login" } } },
      credentials: new Map([["default/login", { username: "acme", password: PASSWORD }]]),
    };
    const world = await startWorld("sip:nobody@127.0.0.9", settings);
    parts.defer(() => world.stop());
    const router = await startTestRouter(world, { rule: { destinations: [aDestination({ name: "desk", number: DESK })] } });
    parts.defer(() => router.stop());
    expect(await world.call({ address: desk.address })).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    const invites = (await desk.messages()).filter(({ direction, startLine }) => direction === "received" && startLine.startsWith("INVITE"));
    expect(invites).toHaveLength(2);
    const authorization = invites[1]!.header("Authorization") ?? "";
    const md5 = (...fields: string[]) => createHash("md5").update(fields.join(":")).digest("hex");
    const uri = /uri="([^"]+)"/.exec(authorization)?.[1] ?? "";
    expect(authorization).toContain(`response="${md5(md5("acme", "carrier", PASSWORD), "abcdef", md5("INVITE", uri))}"`);
    expect(invites.map(({ raw }) => raw).join("")).not.toContain(PASSWORD);
    await eventually("the record", () => router.store.final().length === 1);
    expect(router.store.final()[0]).toMatchObject({ end: "completed", legs: [{ result: "answered" }] });
  });

  test("is the only one who is: a SIP URI of another host that asks for it gets nothing that it could be guessed from", async () => {
    await using parts = new AsyncDisposableStack();
    const stranger = parts.use(await startSippServer({ scenario: "challenged-401.xml" }));
    const settings = {
      trunk: { authentication: { secretRef: { name: "login" } } },
      credentials: new Map([["default/login", { username: "acme", password: PASSWORD }]]),
    };
    const other = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
    const world = await startWorld(toUri(stranger), settings);
    parts.defer(() => world.stop());
    const router = await startTestRouter(world, { rule: { destinations: [aDestination({ name: "pbx", sipUri: toUri(stranger) }), aDestination({ name: "other", sipUri: toUri(other) })] } });
    parts.defer(() => router.stop());
    expect(await world.call()).toMatchObject({ exitCode: 0 });
    await eventually("the record", () => router.store.final().length === 1);
    expect(router.store.final()[0]).toMatchObject({ answeredBy: toUri(other), legs: [{ result: "unreachable" }, { result: "answered" }] });
    const invites = (await stranger.messages()).filter(({ direction, startLine }) => direction === "received" && startLine.startsWith("INVITE"));
    expect(invites.map((invite) => invite.header("Authorization"))).toEqual([undefined]);
  });

  test("refuses the password: that is no callee's word, and the next destination is rung", async () => {
    await using parts = new AsyncDisposableStack();
    const desk = parts.use(await startSippServer({ scenario: "challenged-401.xml" }));
    const settings = {
      trunk: { host: desk.address, authentication: { secretRef: { name: "login" } } },
      credentials: new Map([["default/login", { username: "acme", password: "wrong" }]]),
    };
    const other = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
    const world = await startWorld("sip:nobody@127.0.0.9", settings);
    parts.defer(() => world.stop());
    const router = await startTestRouter(world, { rule: { destinations: [aDestination({ name: "desk", number: DESK }), aDestination({ name: "other", sipUri: toUri(other) })] } });
    parts.defer(() => router.stop());
    expect(await world.call({ address: desk.address })).toMatchObject({ exitCode: 0 });
    await eventually("the record", () => router.store.final().length === 1);
    expect(router.store.final()[0]).toMatchObject({ end: "completed", answeredBy: toUri(other), legs: [{ result: "unreachable" }, { result: "answered" }] });
  });
});

/** A certificate for each side of one authority, which both trust. */
async function identities<Side extends string>(dir: string, addresses: Readonly<Record<Side, string>>, name = "ca"): Promise<Record<Side, Required<TlsSettings>>> {
  const authority = createAuthority(name);
  const caFile = join(dir, `${name}.pem`);
  await writeFile(caFile, authority.certificate);
  const made = Object.entries<string>(addresses).map(async ([side, address]) => {
    const identity = authority.issue({ commonName: side, addresses: [address] });
    const [certificateFile, keyFile] = [join(dir, `${side}.pem`), join(dir, `${side}.key`)];
    await writeFile(certificateFile, identity.certificate);
    await writeFile(keyFile, identity.key, { mode: 0o600 });
    return [side, { caFile, server: { port: await freeTcpPort(address), certificateFile, keyFile } }] as const;
  });
  return Object.fromEntries(await Promise.all(made)) as Record<Side, Required<TlsSettings>>;
}
