import { createSocket } from "node:dgram";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { createAriHttp } from "../../src/adapters/ari/http.ts";
import { createTelephony } from "../../src/adapters/ari/telephony.ts";
import { STASIS_APP } from "../../src/domain/asterisk-names.ts";
import { parseE164 } from "../../src/domain/e164.ts";
import { aDestination } from "../domain/builders.ts";
import { eventually } from "../harness/process.ts";
import { scenarioText, startSippServer, type SippServer } from "../harness/sipp.ts";
import { CALLER, DID, type Rules, type RunningRouter, setRules, startTestRouter, startWorld, toUri, type World } from "./world.ts";

let world: World;
let router: RunningRouter;
let desk: SippServer;
/** Evaluating a caller's text would leave this file behind: func_shell is loaded for these tests only, and a control proves the trap. */
let sprung: string;
let payload: string;
const parts = new AsyncDisposableStack();

beforeAll(async () => {
  desk = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  world = await startWorld(toUri(desk), {
    extraModules: ["func_shell"],
    files: { "extensions.d/10-trap.conf": "[trap]\nexten = s,1,Set(X=${SHELL(touch ${TRAP})})\n same = n,Wait(1)\n" },
  });
  parts.defer(() => world.stop());
  sprung = join(world.asterisk.dir, "sprung");
  payload = `\${SHELL(touch ${sprung})}`;
  router = await startTestRouter(world, { rule: null });
  parts.defer(() => router.stop());
});
afterAll(() => parts.disposeAsync());
afterEach(async () => {
  await world.expectEmpty();
  expect(existsSync(sprung)).toBe(false);
});

/** The profile that lets most of a caller through. */
function profile(callerId: Rules["callerId"]): Rules {
  return { rule: { destinations: [aDestination({ sipUri: toUri(desk) })], callerId: { type: "Caller" } }, callerId };
}

/** Calls with a From user and further header lines; answers the INVITE that the destination got. */
async function callFrom(user: string, headers = "Subject: none") {
  const before = (await invites()).length;
  const text = await scenarioText("call-answered.xml");
  const scenario = text.replace("Max-Forwards: 70", "Max-Forwards: 70\n      [extra]").replaceAll("[caller]", "[sender]");
  const result = await world.call({ scenario, transport: "tcp", keys: { sender: user, extra: headers } });
  expect(result).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  return eventually("an INVITE at the destination", async () => (await invites())[before]);
}

async function invites() {
  return (await desk.messages()).filter(({ startLine, direction }) => direction === "received" && startLine.startsWith("INVITE"));
}

test("the trap works: evaluated text leaves the file behind", async () => {
  const control = join(world.asterisk.dir, "control");
  const query = { endpoint: "Local/s@trap/n", context: "trap", extension: "s", priority: "1" };
  await world.ari.request("POST", "/channels", query, { variables: { _TRAP: control } });
  await eventually("the trap springs", () => existsSync(control));
});

const ASSERTED = `P-Asserted-Identity: <sip:${CALLER}@carrier.example>`;

test.each([`${ASSERTED}\r\nPrivacy: id`, `${ASSERTED}\r\nPrivacy: user;id`, "Privacy: id", "Privacy: user;id", "Privacy: ID", "privacy: none;id"])(
  "a number that its owner hides is told to nobody and recorded nowhere: %j",
  async (headers) => {
    await setRules(world, router, profile({ from: "Caller", pAssertedIdentity: "Caller" }));
    const before = router.store.final().length;
    const invite = await callFrom(CALLER, headers);
    expect(invite.raw).not.toContain(CALLER.slice(1));
    expect(invite.header("From")).toContain(`<sip:${DID}@`);
    const last = await eventually("its record", () => router.store.final()[before]);
    expect(last).toMatchObject({ caller: null, end: "completed" });
    expect(router.store.asked.at(-1)).toMatchObject({ caller: null });
  },
);

test.each([`${ASSERTED}\r\nPrivacy: none`, "Privacy: none", "Privacy: None", "Privacy:"])("a number that its owner shows is shown: %j", async (headers) => {
  await setRules(world, router, profile({ from: "Caller", pAssertedIdentity: "Caller" }));
  const before = router.store.final().length;
  expect((await callFrom(CALLER, headers)).header("From")).toContain(`<sip:${CALLER}@`);
  expect(await eventually("its record", () => router.store.final()[before])).toMatchObject({ caller: CALLER });
});

test("a Call-ID that is no text hides nobody: Asterisk can't list that call, and what is ours is found all the same", async () => {
  await setRules(world, router, profile({}));
  const telephony = createTelephony(world.ari, STASIS_APP, createAriHttp(world.asterisk.ari));
  const odd = await callWithCallId("a\xff\xfeb");
  await expect(createAriHttp(world.asterisk.ari).request("GET", "/channels")).rejects.toMatchObject({ status: 500 });
  const ordinary = world.call({ holdMs: 3_000 });
  const own = await eventually("two talk", async () => {
    const ids = await telephony.ownChannels();
    return ids.length === 2 ? ids : undefined;
  });
  expect((await telephony.channels()).map(({ id }) => id).sort()).toEqual([...own].sort());
  await odd.hangUp();
  expect(await ordinary).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  expect((await telephony.channels()).length).toBe(0);
});

/** Until it is answered, by the pool's default destination: no event can be made of it. @param callId bytes, as Latin-1 */
async function callWithCallId(callId: string): Promise<{ hangUp(): Promise<void> }> {
  const { carrier, asterisk } = world;
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, carrier, resolve));
  const { port } = socket.address();
  const sdp = ["v=0", `o=- 1 1 IN IP4 ${carrier}`, "s=-", `c=IN IP4 ${carrier}`, "t=0 0", "m=audio 6000 RTP/AVP 0", ""].join("\r\n");
  const uri = `sip:${DID}@${asterisk.sipAddress}`;
  const send = (method: string, sequence: number, to: string, body = "") => {
    const via = `Via: SIP/2.0/UDP ${carrier}:${port};branch=z9hG4bK${method}${sequence}`;
    const head = [`${method} ${uri} SIP/2.0`, via, `From: <sip:${CALLER}@${carrier}>;tag=odd`, `To: ${to}`, `Call-ID: ${callId}`, `CSeq: ${sequence} ${method}`];
    const rest = [`Contact: <sip:odd@${carrier}:${port}>`, "Max-Forwards: 70", ...(body === "" ? [] : ["Content-Type: application/sdp"]), `Content-Length: ${body.length}`, "", body];
    socket.send(Buffer.from([...head, ...rest].join("\r\n"), "latin1"), asterisk.sipPort, asterisk.sipAddress);
  };
  const answer = (sequence: number) =>
    new Promise<string>((resolve) => {
      const onMessage = (data: Buffer) => {
        const text = data.toString("latin1");
        if (!text.startsWith("SIP/2.0 200") || !text.includes(`CSeq: ${sequence} `)) return;
        socket.off("message", onMessage);
        resolve(/^To: (.*)$/m.exec(text)?.[1]?.trim() ?? "");
      };
      socket.on("message", onMessage);
    });
  const answered = answer(1);
  send("INVITE", 1, `<${uri}>`, sdp);
  const to = await answered;
  send("ACK", 1, to);
  return {
    hangUp: async () => {
      const over = answer(2);
      send("BYE", 2, to);
      await over;
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

describe("what the far end is told", () => {
  test.each<readonly [string, Rules["callerId"], string, string | undefined, RegExp | undefined]>([
    ["by default: the called number and nothing of the caller", {}, DID, undefined, undefined],
    ["the caller in From where the trunk allows it", { from: "Caller" }, CALLER, undefined, undefined],
    ["a fixed number", { from: "Fixed", fixed: { number: "+12025550188" } }, "+12025550188", undefined, undefined],
    ["the caller asserted", { pAssertedIdentity: "Caller" }, DID, CALLER, undefined],
    ["the called number asserted and in Diversion", { pAssertedIdentity: "Tracking", diversion: "Tracking" }, DID, DID, /^<sip:\+12025550101@.*>;reason=unconditional/],
  ])("%s", async (...row) => {
    const [, callerId, from, asserted, diversion] = row;
    await setRules(world, router, profile(callerId));
    const invite = await callFrom(CALLER);
    expect(invite.header("From")).toContain(`<sip:${from}@`);
    expect(invite.header("P-Asserted-Identity")).toBe(asserted === undefined ? undefined : `<sip:${asserted}@${world.carrier}>`);
    if (diversion === undefined) expect(invite.header("Diversion")).toBeUndefined();
    else expect(invite.header("Diversion")).toMatch(diversion);
    if (from !== CALLER && asserted !== CALLER) expect(invite.raw).not.toContain(CALLER.slice(1));
  });

  test("nobody is sent a connected-line update: the parties never see each other's number", async () => {
    await setRules(world, router, profile({}));
    const before = (await desk.messages()).length;
    await callFrom(CALLER);
    await world.expectEmpty();
    const requests = (await desk.messages()).slice(before).filter(({ direction }) => direction === "received").map(({ startLine }) => startLine.split(" ")[0]);
    expect(requests).toEqual(["INVITE", "ACK", "BYE"]);
  });
});

describe("a caller's text is never evaluated, stored or logged", () => {
  const SQL = "1'); drop table call; --";
  const CASES: readonly (readonly [string, () => string, () => string])[] = [
    ["a variable in From", () => encodeURIComponent(payload), () => "Subject: none"],
    ["a variable after a number in From", () => `+13125550123${encodeURIComponent(payload)}`, () => "Subject: none"],
    ["an expression in From", () => encodeURIComponent("$[1+1]"), () => "Subject: none"],
    ["SQL in From", () => encodeURIComponent(SQL), () => "Subject: none"],
    ["quotes and angle brackets in From", () => encodeURIComponent(`"><sip:+1900@evil>`), () => "Subject: none"],
    ["a line end in From", () => "+13125550123%0D%0AX-Evil:%20yes", () => "Subject: none"],
    ["a log line of its own in From", () => encodeURIComponent(`x"}\n{"level":"error","msg":"forged"}`), () => "Subject: none"],
    ["a variable in the display name", () => "x", () => `P-Asserted-Identity: "${payload}" <sip:x@host>`],
    ["SQL in the display name", () => "x", () => `P-Asserted-Identity: "${SQL}" <sip:+13125550123@host>`],
    ["a display name of 10 kB", () => "x", () => `P-Asserted-Identity: "${"A${".repeat(3_400)}" <sip:x@host>`],
    ["a From of 10 kB", () => "9".repeat(10_000), () => "Subject: none"],
    ["a variable in P-Asserted-Identity", () => "x", () => `P-Asserted-Identity: <sip:${encodeURIComponent(`1),${payload}"`)}@host>`],
    ["a variable in Diversion", () => "x", () => `Diversion: "${payload}" <sip:${encodeURIComponent(payload)}@host>;reason="${payload}"`],
    ["a variable in Privacy", () => "x", () => `Privacy: id,${payload},X-Evil=${payload}"?:)`],
    ["a folded header", () => "x", () => `Subject: one\r\n ${payload}\r\n\tX-Evil: yes`],
    ["a header that names a variable", () => "x", () => `X-${"A".repeat(200)}: ${payload}`],
  ];

  test.each(CASES)("%s", async (_, user, headers) => {
    await setRules(world, router, profile({ from: "Caller", pAssertedIdentity: "Caller", diversion: "Tracking" }));
    const invite = await callFrom(user(), headers());
    expect(invite.raw).not.toMatch(/SHELL|\$\{|\$\[|%24|drop table|Evil|evil|forged|AAAA|A\$|99999999999999999/);
    expect(invite.header("From")).toMatch(/<sip:\+(12025550101|13125550123)@/);
    await world.expectEmpty();
    expectClean(router);
    expect(await readFile(world.asterisk.logFile, "utf8")).not.toMatch(/drop table|forged/);
  });
});

/** Only numbers reach the database's questions and records; every line of the log is one object that we wrote. */
function expectClean(running: RunningRouter): void {
  const { store } = running;
  const log = running.log();
  for (const { caller } of [...store.asked, ...store.records]) {
    expect(caller === null || parseE164(caller) === caller).toBe(true);
  }
  expect(JSON.stringify(store.records)).not.toMatch(/SHELL|drop table|forged/);
  const lines = log.trim().split("\n");
  for (const line of lines) {
    expect(JSON.parse(line)).toMatchObject({ msg: expect.any(String) as string });
  }
  expect(log).not.toMatch(/SHELL|drop table|forged|13125550123/);
}

test("Asterisk itself ends a leg that lives too long, in case the router dies", async () => {
  await setRules(world, router, profile({}));
  const call = world.call({ holdMs: 800 });
  const leg = await eventually("the leg", async () => {
    const channels = (await world.ari.request("GET", "/channels")) as { id: string; state: string }[];
    return channels.find(({ id, state }) => id.startsWith("dialplane-") && state === "Up");
  });
  const { value } = (await world.ari.request("GET", `/channels/${leg.id}/variable`, { variable: "TIMEOUT(absolute)" })) as { value: string };
  expect(Number(value)).toBeGreaterThan(14_400);
  expect(Number(value)).toBeLessThan(14_600);
  await call;
});
