import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { countedUnknownCalls, noteCountedCalls, programDialplan, unknownCalls } from "../../../src/adapters/asterisk-config/dialplan.ts";
import { programPjsip } from "../../../src/adapters/asterisk-config/pjsip.ts";
import { fallbackContext } from "../../../src/domain/asterisk-names.ts";
import { dialplanHash, dialplanMarker, renderDialplan } from "../../../src/domain/dialplan.ts";
import { renderPjsip } from "../../../src/domain/pjsip.ts";
import type { AriRest } from "../../../src/domain/ports.ts";
import { aDialplanPool, anAsteriskTrunk } from "../../domain/asterisk-builders.ts";
import { startTestAsterisk, type TestAsterisk } from "../../harness/asterisk.ts";
import { loopbackAddress } from "../../harness/ports.ts";
import { eventually } from "../../harness/process.ts";
import { runSipp, scenarioText, startSippServer, type SippResult } from "../../harness/sipp.ts";
import { ariOverHttp } from "./ari-fetch.ts";
import { refusedWith } from "./scenarios.ts";

const CALLER = "+15550001111";
const TRACKING = "+12025550110";

let asterisk: TestAsterisk;
let ari: AriRest;
let carrier: string;
let destination: string;

/** Evaluating a caller's text would leave this file behind: func_shell is loaded for these tests only, and a control proves the trap. */
let sprung: string;
let payload: string;

beforeAll(async () => {
  [carrier, destination] = [await loopbackAddress(), await loopbackAddress()];
  asterisk = await startTestAsterisk({
    extraModules: ["func_shell"],
    files: { "extensions.d/10-trap.conf": "[trap]\nexten = s,1,Set(X=${SHELL(touch ${TRAP})})\n same = n,Wait(1)\n" },
  });
  ari = ariOverHttp(asterisk.ari);
  sprung = join(asterisk.dir, "sprung");
  payload = `\${SHELL(touch ${sprung})}`;
  await program({});
});
afterAll(() => asterisk.stop());

/** One trunk: calls come from `carrier` and go to `destination`. `change` shortens what would take a minute. */
async function program(
  callerId: Partial<ReturnType<typeof anAsteriskTrunk>["spec"]["callerId"]>,
  change: (content: string) => string = (content) => content,
) {
  const trunk = anAsteriskTrunk("acme/carrier", {
    host: destination,
    sourceAddresses: [`${carrier}/32`],
    keepAlive: { optionsIntervalSeconds: 0 },
    callerId: { from: "Tracking", pAssertedIdentity: "None", diversion: "None", ...callerId },
  });
  const pools = [
    aDialplanPool("acme/sales", [[TRACKING, "+12025550119"]]),
    aDialplanPool("acme/desk", ["+12025550120"], { defaultDestination: { sipUri: `sip:desk@${destination}:5060;transport=udp` } }),
  ];
  await programPjsip({ dir: asterisk.configDir, ari, content: renderPjsip({ trunks: [trunk], credentials: new Map() }).content });
  const content = change(renderDialplan({ pools, trunks: [trunk] }).content);
  const hash = dialplanHash(content);
  await programDialplan({ dir: asterisk.configDir, ari, revision: { content, hash, marker: dialplanMarker(hash) } });
}

function call(to: string, options: Partial<Parameters<typeof runSipp>[0]> = {}): Promise<SippResult> {
  const target = `${asterisk.sipAddress}:${asterisk.sipPort}`;
  return runSipp({ scenario: "call-answered.xml", target, to, from: CALLER, address: carrier, holdMs: 200, timeoutMs: 15_000, ...options });
}

function refused(status: number, to: string, options: Partial<Parameters<typeof runSipp>[0]> = {}): Promise<SippResult> {
  return call(to, { scenario: refusedWith(status), keys: { headers: "Subject: none" }, ...options });
}

async function expectNothingEvaluated(): Promise<void> {
  await eventually("no channel left", async () => ((await ari.request("GET", "/channels")) as unknown[]).length === 0);
  expect(existsSync(sprung)).toBe(false);
}

describe("with no router, the dialplan rings the pool's default destination", () => {
  test.each([
    ["called with a plus", TRACKING, "+12025550199"],
    ["called without a plus", "12025550119", "+12025550199"],
    ["that is a SIP URI", "+12025550120", "desk"],
  ] as const)("%s", async (_, did, user) => {
    await program({});
    await using server = await startSippServer({ scenario: "answer-200.xml", address: destination });
    const result = await call(did);
    expect(result).toMatchObject({ exitCode: 0, stats: { successful: 1, failed: 0 } });
    const invite = await inviteAt(server);
    expect(invite.startLine).toMatch(new RegExp(`^INVITE sip:${user.replace("+", "\\+")}@${destination}`));
    expect(invite.header("From")).toContain(`sip:+${did.replace("+", "")}@`);
    expect(invite.header("P-Asserted-Identity")).toBeUndefined();
    expect(invite.header("Diversion")).toBeUndefined();
    expect(invite.raw).not.toContain(CALLER);
  });

  test.each([
    ["the caller in P-Asserted-Identity and the called number in Diversion", { pAssertedIdentity: "Caller", diversion: "Tracking" }, TRACKING, CALLER],
    ["the called number in both", { pAssertedIdentity: "Tracking", diversion: "Tracking" }, TRACKING, TRACKING],
    ["the called number in P-Asserted-Identity", { pAssertedIdentity: "Tracking" }, TRACKING, TRACKING],
    ["a fixed From", { from: "Fixed", fixed: { number: "+12025550100" }, pAssertedIdentity: "Caller" }, "+12025550100", CALLER],
  ] as const)("sends %s where the trunk asks for it", async (_, callerId, from, asserted) => {
    await program(callerId);
    await using server = await startSippServer({ scenario: "answer-200.xml", address: destination });
    expect((await call(TRACKING)).exitCode).toBe(0);
    const invite = await inviteAt(server);
    expect(invite.header("From")).toContain(`sip:${from}@`);
    expect(invite.header("P-Asserted-Identity")).toBe(`<sip:${asserted}@${destination}>`);
    const diversion = invite.header("Diversion");
    if ("diversion" in callerId) expect(diversion).toBe(`<sip:${TRACKING}@${destination}>;reason=unconditional;counter=1`);
    else expect(diversion).toBeUndefined();
  });

  test("asserts no number that the caller withheld", async () => {
    await program({ pAssertedIdentity: "Caller" });
    await using server = await startSippServer({ scenario: "answer-200.xml", address: destination });
    const scenario = (await scenarioText("call-answered.xml")).replace("Max-Forwards: 70", `Privacy: id\n      P-Asserted-Identity: <sip:${CALLER}@[local_ip]>\n      Max-Forwards: 70`);
    expect((await call(TRACKING, { scenario })).exitCode).toBe(0);
    const invite = await inviteAt(server);
    expect(invite.header("P-Asserted-Identity")).toBeUndefined();
    expect(invite.raw).not.toContain(CALLER);
  });

  test.each([
    ["busy", "busy-486.xml", 486],
    ["out of service", "unavailable-503.xml", 503],
  ])("a destination that is %s is told to the caller with %s as %i", async (_, scenario, status) => {
    await program({});
    await using server = await startSippServer({ scenario, address: destination });
    expect(await refused(status, TRACKING)).toMatchObject({ exitCode: 0, errors: "" });
    expect(await server.errors()).toBe("");
  });

  test.each([TRACKING, "+12025550199"])("a destination that sends the call on to %s is not followed, and the caller gets 486", async (elsewhere) => {
    await program({});
    await using server = await startSippServer({ scenario: "redirect-302.xml", address: destination, keys: { contact: `sip:${elsewhere}@${destination}` } });
    expect(await refused(486, TRACKING)).toMatchObject({ exitCode: 0, errors: "" });
    expect((await server.messages()).filter(({ startLine }) => startLine.startsWith("INVITE"))).toHaveLength(1);
  });

  test("a destination that doesn't answer is rung no longer than the ring time, and the caller gets 480", async () => {
    await program({}, (content) => content.replaceAll(/(Dial\(.*),60/g, "$1,1"));
    await using server = await startSippServer({ scenario: "no-answer-ring.xml", address: destination });
    expect(await refused(480, TRACKING)).toMatchObject({ exitCode: 0 });
    expect((await server.messages()).map(({ startLine }) => startLine.split(" ")[0])).toContain("CANCEL");
  });

  test("three calls are three calls at the destination", async () => {
    await program({});
    await using server = await startSippServer({ scenario: "answer-200.xml", address: destination });
    expect((await call(TRACKING, { calls: 3 })).stats.successful).toBe(3);
    const invites = (await server.messages()).filter(({ startLine }) => startLine.startsWith("INVITE"));
    expect(new Set(invites.map((message) => message.header("Call-ID"))).size).toBe(3);
  });
});

describe("with a router", () => {
  interface StasisEvent {
    readonly type: string;
    readonly args?: readonly string[];
    readonly channel: { readonly id: string; readonly dialplan: { readonly context: string; readonly exten: string } };
  }

  /** Registers the application and hands its events to `onEvent`. */
  async function router(onEvent: (event: StasisEvent) => Promise<unknown>): Promise<Disposable & { readonly seen: StasisEvent[]; readonly failures: unknown[] }> {
    const { url, user, password } = asterisk.ari;
    const socket = new WebSocket(`${url.replace("http", "ws")}/events?app=dialplane&api_key=${user}:${password}`);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error("no WebSocket"));
    });
    const seen: StasisEvent[] = [];
    const failures: unknown[] = [];
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(String(data)) as StasisEvent;
      seen.push(event);
      onEvent(event).catch((error: unknown) => failures.push(error));
    };
    return { seen, failures, [Symbol.dispose]: () => socket.close() };
  }

  function claimThen(next: (channel: string) => Promise<unknown>) {
    return async ({ type, channel }: StasisEvent) => {
      if (type === "CallBroadcast") await ari.request("POST", "/events/claim", { channelId: channel.id, application: "dialplane" });
      if (type === "StasisStart") await next(channel.id);
    };
  }

  test("a claimed call is the router's, with the pool's key; the router hands it back to the default destination", async () => {
    await program({});
    await using server = await startSippServer({ scenario: "answer-200.xml", address: destination });
    using app = await router(
      claimThen((channel) =>
        ari.request("POST", `/channels/${channel}/continue`, { context: fallbackContext("acme/sales"), extension: TRACKING.slice(1), priority: "1" }),
      ),
    );
    expect(await call(TRACKING)).toMatchObject({ exitCode: 0 });
    expect(app.failures).toEqual([]);
    const start = app.seen.find(({ type }) => type === "StasisStart");
    expect(start).toMatchObject({ args: ["inbound", "acme/sales", "allowed_not_screened"], channel: { dialplan: { exten: TRACKING.slice(1) } } });
    expect((await inviteAt(server)).startLine).toContain("+12025550199@");
  });

  test("a call that the router has finished with rings nobody", async () => {
    await program({});
    await using server = await startSippServer({ scenario: "answer-200.xml", address: destination });
    using app = await router(claimThen((channel) => ari.request("POST", `/channels/${channel}/continue`)));
    expect((await call(TRACKING, { scenario: refusedWith(603), keys: { headers: "Subject: none" } })).stats.successful).toBe(1);
    expect(app.failures).toEqual([]);
    expect(await server.messages()).toEqual([]);
  });

  test("a router that hangs: the default destination rings", async () => {
    await program({});
    await using server = await startSippServer({ scenario: "answer-200.xml", address: destination });
    using app = await router(() => Promise.resolve());
    expect(await call(TRACKING)).toMatchObject({ exitCode: 0 });
    expect(app.seen.map(({ type }) => type)).toContain("CallBroadcast");
    expect((await inviteAt(server)).startLine).toContain("+12025550199@");
  });
});

describe("refusals", () => {
  test("an unknown DID is answered 404 and counted", async () => {
    await program({});
    expect(await unknownCalls(ari)).toBe(0);
    expect(await refused(404, "+12025550109")).toMatchObject({ exitCode: 0 });
    expect(await refused(404, "+4930901820")).toMatchObject({ exitCode: 0 });
    expect(await unknownCalls(ari)).toBe(2);
    expect(await readFile(asterisk.logFile, "utf8")).toContain("No pool owns the called number +4930901820");
    expect(await countedUnknownCalls(ari)).toBe(0);
    await noteCountedCalls(ari, 2);
    expect(await countedUnknownCalls(ari)).toBe(2);
    await program({ diversion: "Tracking" });
    expect([await unknownCalls(ari), await countedUnknownCalls(ari)]).toEqual([0, 0]);
  });

  test("a source that no trunk identifies is never served, whatever it writes into From", async () => {
    const stranger = await loopbackAddress();
    await using server = await startSippServer({ scenario: "answer-200.xml", address: destination });
    const result = await refused(401, TRACKING, { address: stranger, from: "trunk-acme-carrier-1cacce69da" });
    expect(result).toMatchObject({ exitCode: 0 });
    expect(await server.messages()).toEqual([]);
  });
});

describe("hostile text is never evaluated", () => {
  test("the trap works: evaluated text leaves the file behind", async () => {
    const control = join(asterisk.dir, "control");
    await ari.request("POST", "/channels", { endpoint: "Local/s@trap/n", context: "trap", extension: "s", priority: "1" }, { variables: { _TRAP: control } });
    await eventually("the trap springs", () => existsSync(control));
    await expectNothingEvaluated();
  });

  const HOSTILE_USERS: readonly (readonly [string, () => string])[] = [
    ["a variable, escaped as a URI demands", () => encodeURIComponent(payload)],
    ["a variable after a digit", () => `1${encodeURIComponent(payload)}`],
    ["a variable after a DID", () => `%2B12025550110${encodeURIComponent(payload)}`],
    ["an expression", () => encodeURIComponent("+1202555011$[1+1]")],
    ["a comma and a Goto", () => "+12025550110,1)Goto(trap,s,1"],
    ["quotes", () => "%22+12025550110%22"],
    ["a pattern", () => "_X."],
    ["an ampersand", () => "+12025550110&PJSIP/+1900"],
    ["a line end", () => "+12025550110%0D%0AX-Evil:%20yes"],
    ["a NUL before a DID", () => "%00+12025550110"],
    ["the start extension", () => "s"],
    ["the hang-up extension", () => "h"],
    ["another context", () => "s%40trap"],
    ["ten thousand digits", () => "1".repeat(10_000)],
    ["ten thousand hostile characters", () => encodeURIComponent("${".repeat(1_700)) + encodeURIComponent(payload)],
  ];

  test.each(HOSTILE_USERS)("a called user that is %s is refused with 404", async (_, user) => {
    await program({});
    await using server = await startSippServer({ scenario: "answer-200.xml", address: destination });
    const scenario = refusedWith(404).replaceAll("[service]", "[user]");
    const result = await call("x", { scenario, transport: "tcp", keys: { user: user(), headers: "Subject: none" } });
    expect(result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    expect(await server.messages()).toEqual([]);
    await expectNothingEvaluated();
  });

  test("an escaped NUL ends the called number: what follows it does not exist for Asterisk", async () => {
    await program({});
    await using server = await startSippServer({ scenario: "answer-200.xml", address: destination });
    const scenario = (await scenarioText("call-answered.xml")).replaceAll("[service]", "[user]");
    const result = await call("x", { scenario, keys: { user: `+12025550110%00${encodeURIComponent(payload)}` } });
    expect(result).toMatchObject({ exitCode: 0 });
    expect((await inviteAt(server)).raw).not.toMatch(/SHELL|%24|\$\{/);
    await expectNothingEvaluated();
  });

  const HOSTILE_CALLERS: readonly (readonly [string, () => string, () => string])[] = [
    ["in From", () => encodeURIComponent(payload), () => "Subject: none"],
    ["in the display name", () => "x", () => `P-Asserted-Identity: "${payload}" <sip:x@host>`],
    ["in P-Asserted-Identity", () => "x", () => `P-Asserted-Identity: <sip:${encodeURIComponent(`1),${payload}"`)}@host>`],
    ["in Diversion", () => "x", () => `Diversion: "${payload}" <sip:${encodeURIComponent(payload)}@host>;reason="${payload}"`],
    ["in a header of its own", () => "x", () => `User-Agent: ${payload}`],
    ["of ten thousand characters", () => "9".repeat(10_000), () => "Subject: none"],
  ];

  test.each(HOSTILE_CALLERS)("a caller's text %s reaches nobody and the call is put through", async (_, from, header) => {
    await program({ pAssertedIdentity: "Caller", diversion: "Tracking" });
    await using server = await startSippServer({ scenario: "answer-200.xml", address: destination });
    const text = await scenarioText("call-answered.xml");
    const scenario = text.replace("Max-Forwards: 70", "Max-Forwards: 70\n      [extra]").replaceAll("[caller]", "[sender]");
    const result = await call(TRACKING, { scenario, transport: "tcp", keys: { sender: from(), extra: header() } });
    expect(result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
    const invite = await inviteAt(server);
    expect(invite.raw).not.toMatch(/SHELL|%24|\$\{/);
    expect(invite.header("From")).toContain(`sip:${TRACKING}@`);
    await expectNothingEvaluated();
  });
});

async function inviteAt(server: Awaited<ReturnType<typeof startSippServer>>) {
  return eventually("an INVITE at the destination", async () => (await server.messages()).find(({ startLine }) => startLine.startsWith("INVITE")));
}
