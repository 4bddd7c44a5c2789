import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startTestAsterisk, type TestAsterisk } from "./asterisk.ts";
import { loopbackAddress } from "./ports.ts";
import { parseMessageTrace } from "./sip-message.ts";
import { runSipp, scenarioText, startSippServer } from "./sipp.ts";

const SCENARIOS = { "+12025550110": "answer-200.xml", "+12025550111": "busy-486.xml", "+12025550112": "no-answer-ring.xml", "+12025550113": "unavailable-503.xml" };

describe("a SIPp destination behind an Asterisk", () => {
  const parts = new AsyncDisposableStack();
  const servers = new Map<string, Awaited<ReturnType<typeof startSippServer>>>();
  let asterisk: TestAsterisk;
  let carrier: string;

  beforeAll(async () => {
    carrier = await loopbackAddress();
    let trunks = trunk("carrier", carrier);
    let extensions = "[from-carrier]\n";
    for (const [number, scenario] of Object.entries(SCENARIOS)) {
      const server = parts.use(await startSippServer({ scenario }));
      servers.set(number, server);
      trunks += trunk(`to-${number.slice(1)}`, server.address);
      extensions += `exten => ${number},1,Dial(PJSIP/${number}@to-${number.slice(1)},1)\n same => n,Hangup(\${IF($["\${DIALSTATUS}"="NOANSWER"]?19:\${HANGUPCAUSE})})\n`;
    }
    asterisk = parts.use(await startTestAsterisk({ files: { "pjsip.d/trunks.conf": trunks, "extensions.d/test.conf": extensions } }));
  });
  afterAll(() => parts.disposeAsync());

  test.each([
    ["answers", "+12025550110", ["INVITE", "ACK", "BYE"], "SIP/2.0 200 OK"],
    ["is busy", "+12025550111", ["INVITE", "ACK"], "SIP/2.0 486 Busy Here"],
    ["rings until the caller gives up", "+12025550112", ["INVITE", "CANCEL", "ACK"], "SIP/2.0 480 Temporarily Unavailable"],
    ["has no capacity", "+12025550113", ["INVITE", "ACK"], "SIP/2.0 503 Service Unavailable"],
  ])("%s", async (_, to, requests, response) => {
    const result = await runSipp({ scenario: "call-answered.xml", target: `${asterisk.sipAddress}:5060`, address: carrier, to, from: "+15551230001" });
    expect(result.exitCode).toBe(requests.includes("BYE") ? 0 : 1);
    expect(result.messages.map(({ startLine }) => startLine)).toContain(response);
    const received = (await servers.get(to)!.messages()).filter(({ direction }) => direction === "received");
    expect(received.map(({ startLine }) => startLine.split(" ")[0])).toEqual(requests);
    expect(await servers.get(to)!.errors()).toBe("");
  });

  test("takes many calls, each with its own caller from an injection file", async () => {
    const callers = Array.from({ length: 8 }, (_, index) => `+1555123${1_000 + index}`);
    const scenario = (await scenarioText("call-answered.xml")).replaceAll("[caller]", "[field0]");
    const result = await runSipp({
      scenario,
      target: `${asterisk.sipAddress}:5060`,
      address: carrier,
      to: "+12025550110",
      from: "unused",
      calls: callers.length,
      rate: 20,
      holdMs: 100,
      injection: callers.map((caller) => [caller]),
    });
    expect(result).toMatchObject({ exitCode: 0, stats: { created: 8, successful: 8, failed: 0 }, errors: "" });
    const invited = result.messages.filter(({ startLine }) => startLine.startsWith("INVITE"));
    expect(invited.map((message) => /sip:([^@]+)@/.exec(message.header("from") ?? "")?.[1])).toEqual(callers);
  });

  test("is called over TCP as well", async () => {
    const call = { scenario: "call-answered.xml", target: `${asterisk.sipAddress}:5060`, address: carrier, to: "+12025550110", from: "+15551230001" };
    const result = await runSipp({ ...call, transport: "tcp" });
    expect(result).toMatchObject({ exitCode: 0, errors: "" });
    expect(result.messages[0]?.header("via")).toContain("SIP/2.0/TCP");
  });
});

test("a scenario that can't be read fails loudly instead of passing for a failed call", async () => {
  await expect(runSipp({ scenario: "<nonsense", target: "127.0.0.1:9", to: "+1", from: "+1", timeoutMs: 2_000 })).rejects.toThrow("SIPp did not run");
  await expect(startSippServer({ scenario: "<nonsense", address: await loopbackAddress() })).rejects.toThrow("SIPp ended with code");
});

test("a message trace is read with direction, headers and body", () => {
  const line = "-".repeat(47);
  const messages = parseMessageTrace(
    `${line} 2026-01-02 03:04:05.678901\nUDP message sent (10 bytes):\n\nINVITE sip:a SIP/2.0\r\nFrom: <sip:b>\r\nX: y:z\r\n\r\nv=0\r\n\n` +
      `${line} 2026-01-02\t03:04:05.7\nTCP message received [9] bytes :\n\nSIP/2.0 200 OK\r\nCall-ID: c\r\n\r\n`,
  );
  expect(messages.map(({ direction, startLine, at, body }) => ({ direction, startLine, at, body }))).toEqual([
    { direction: "sent", startLine: "INVITE sip:a SIP/2.0", at: "2026-01-02 03:04:05.678901", body: "v=0" },
    { direction: "received", startLine: "SIP/2.0 200 OK", at: "2026-01-02\t03:04:05.7", body: "" },
  ]);
  expect(messages[0]?.header("x")).toBe("y:z");
  expect(messages[1]?.header("from")).toBeUndefined();
});

function trunk(name: string, address: string): string {
  const endpoint = ["type = endpoint", `context = from-${name}`, "transport = transport-udp", "disallow = all", "allow = ulaw", "direct_media = no", `aors = ${name}`];
  const aor = ["type = aor", `contact = sip:${address}:5060`];
  const identify = ["type = identify", `endpoint = ${name}`, `match = ${address}`];
  return [endpoint, aor, identify].map((lines) => [`[${name}]`, ...lines, ""].join("\n")).join("\n");
}
