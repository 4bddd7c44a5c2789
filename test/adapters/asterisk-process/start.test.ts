import { readFile, writeFile } from "node:fs/promises";
import { createSocket } from "node:dgram";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { locateAsterisk } from "../../../src/adapters/asterisk-process/locate.ts";
import { renderTemplate } from "../../../src/adapters/asterisk-process/template.ts";
import { startTestAsterisk, type TestAsterisk } from "../../harness/asterisk.ts";
import { freeTcpPort, loopbackAddress } from "../../harness/ports.ts";
import { eventually, isAlive, startProcess, temporaryFolder } from "../../harness/process.ts";
import { runSipp, scenarioText, startSippServer } from "../../harness/sipp.ts";

describe("a template", () => {
  test("is filled in", () => {
    expect(renderTemplate("a = ${A}\n${LINES}", { A: "1", LINES: ["x", "y"] })).toBe("a = 1\nx\ny");
  });
  test.each([
    ["a placeholder nobody gave a value", "${MISSING}", { A: "1" }, "${MISSING} has no value; known are A"],
    ["a name that every object has", "${constructor}", {}, "${constructor} has no value"],
    ["a value with a line end", "${A}", { A: "1\n[x]" }, 'A must be one line without ";"'],
    ["a value with a comment", "${A}", { A: "1;2" }, 'A must be one line without ";"'],
    ["a list with a line end in one line", "${A}", { A: ["1", "2\r3"] }, 'A must be one line without ";"'],
  ])("refuses %s", (_, template, values, message) => {
    expect(() => renderTemplate(template, values)).toThrow(message);
  });
});

describe("looking for Asterisk", () => {
  test("takes no other than the tree that is named, and says how to get one when nothing is in it", async () => {
    const folder = await temporaryFolder("locate");
    try {
      const found = locateAsterisk({ ...process.env, ASTERISK_ROOT: folder.path });
      await expect(found).rejects.toMatchObject({ code: "MissingPart", message: expect.stringMatching(`ASTERISK_ROOT: no ${folder.path}/usr/sbin/asterisk.*set ASTERISK_ROOT`) as string });
    } finally {
      await folder.remove();
    }
  });
});

describe("a local Asterisk", () => {
  let asterisk: TestAsterisk;
  let destination: Awaited<ReturnType<typeof startSippServer>>;
  let carrierAddress: string;
  const parts = new AsyncDisposableStack();

  beforeAll(async () => {
    carrierAddress = await loopbackAddress();
    destination = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
    asterisk = parts.use(await startTestAsterisk({
      files: {
        "pjsip.d/trunks.conf": trunk("carrier", carrierAddress, 5060) + trunk("destination", destination.address, destination.port),
        "extensions.d/test.conf": "[from-carrier]\nexten => +12025550110,1,Dial(PJSIP/+12025550110@destination,20)\n",
      },
    }));
  });
  afterAll(() => parts.disposeAsync());

  test("is fully booted, with ARI behind its password and without an error in its log", async () => {
    const ping = (authorization: string) => fetch(`${asterisk.ari.url}/asterisk/ping`, { headers: { authorization } });
    expect((await ping(`Basic ${btoa(`${asterisk.ari.user}:${asterisk.ari.password}`)}`)).status).toBe(200);
    expect((await ping(`Basic ${btoa(`${asterisk.ari.user}:wrong`)}`)).status).toBe(401);
    const log = await readFile(asterisk.logFile, "utf8");
    expect(log.split("\n").filter((line) => /\] ERROR\[/.test(line))).toEqual([]);
  });

  test("loaded every module that its list names", async () => {
    const named = (await readFile(new URL("../../../asterisk-image/modules.txt", import.meta.url), "utf8")).trim().split("\n");
    const shown = await asterisk.cli("module show");
    expect(named.filter((name) => !new RegExp(`^${name}\\.so .* Running `, "m").test(shown))).toEqual([]);
  });

  test("carries a call from a trunk that it knows by address to another", async () => {
    const result = await runSipp({
      scenario: "call-answered.xml",
      target: `${asterisk.sipAddress}:5060`,
      address: carrierAddress,
      to: "+12025550110",
      from: "+15551230001",
    });
    expect(result.errors).toBe("");
    expect(result).toMatchObject({ exitCode: 0, stats: { created: 1, successful: 1, failed: 0 } });
    const answer = result.messages.find((message) => message.startLine === "SIP/2.0 200 OK");
    expect(answer?.direction).toBe("received");
    expect(answer?.header("cseq")).toMatch(/INVITE$/);
    expect(answer?.body).toContain("m=audio");
    expect((await destination.messages()).map((message) => message.startLine)).toContain(
      `INVITE sip:+12025550110@${destination.address}:5060 SIP/2.0`,
    );
  });

  test.each([
    ["a number that no file names", "+12025550199", "404"],
    ["an extension of another context", "s", "404"],
  ])("refuses %s", async (_, to, code) => {
    const result = await runSipp({ scenario: "call-answered.xml", target: `${asterisk.sipAddress}:5060`, address: carrierAddress, to, from: "+15551230001" });
    expect(result.exitCode).toBe(1);
    expect(result.messages.map((message) => message.startLine)).toContainEqual(expect.stringContaining(`SIP/2.0 ${code}`));
  });

  test.each([
    ["unknown", "+15551230001"],
    ["that writes a trunk's name into From", "carrier"],
  ])("never serves a sender %s", async (_, from) => {
    const result = await runSipp({ scenario: "call-answered.xml", target: `${asterisk.sipAddress}:5060`, to: "+12025550110", from });
    expect(result.exitCode).toBe(1);
    expect(result.messages.map((message) => message.startLine)).toContainEqual(expect.stringContaining("SIP/2.0 401"));
  });

  test.each([
    ["brackets, quotes and expressions", 'x${SHELL(id)}[call_id]]]>\\"<'],
    ["10 kB", "x".repeat(10_240)],
    ["a folded line", "one\r\n two"],
  ])("gets %s in a header as they are", async (_, note) => {
    const scenario = (await scenarioText("call-answered.xml")).replace("Max-Forwards: 70", "Max-Forwards: 70\n      X-Note: [note]");
    const target = `${asterisk.sipAddress}:5060`;
    const result = await runSipp({ scenario, target, address: carrierAddress, to: "+12025550110", from: "+15551230001", keys: { note } });
    expect(result.errors).toBe("");
    expect(result.exitCode).toBe(0);
    expect(result.messages[0]?.raw).toContain(`X-Note: ${note}`);
  });
});

describe("starting an Asterisk", () => {
  test("names the SIP port that is in use and leaves no process behind", async () => {
    const sipAddress = await loopbackAddress();
    const taken = createSocket("udp4");
    await new Promise<void>((resolve) => taken.bind({ address: sipAddress, port: 5060 }, resolve));
    try {
      await expect(startTestAsterisk({ sipAddress })).rejects.toMatchObject({
        code: "PortInUse",
        message: `SIP can't listen on ${sipAddress}:5060/udp: port 5060 is in use by another program`,
      });
    } finally {
      taken.close();
    }
  });

  test("refuses an address of another machine", async () => {
    await expect(startTestAsterisk({ sipAddress: "192.0.2.1" })).rejects.toMatchObject({
      code: "InvalidInput",
      message: "SIP can't listen on 192.0.2.1:5060/udp: 192.0.2.1 is no address of this machine",
    });
  });

  test("fails with the log's end when a written file can't be loaded", async () => {
    await expect(startTestAsterisk({ files: { "../escape.conf": "" } })).rejects.toMatchObject({ code: "InvalidInput" });
  });

  test("ends with its parent, even one that is killed", async () => {
    const folder = await temporaryFolder("orphan");
    const script = join(folder.path, "parent.ts");
    const module = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    const settings = { dir: join(folder.path, "asterisk"), sipAddress: await loopbackAddress(), sipPort: 5060, httpPort: await freeTcpPort(), amiPort: await freeTcpPort(), rtp: { start: 10_000, end: 20_000 } };
    await writeFile(
      script,
      `import { locateAsterisk } from ${module("../../../src/adapters/asterisk-process/locate.ts")};
       import { startAsterisk } from ${module("../../../src/adapters/asterisk-process/start.ts")};
       const asterisk = await startAsterisk({ location: await locateAsterisk(process.env), ...${JSON.stringify(settings)} });
       process.stdout.write("pid=" + asterisk.pid + "\\n");
       setInterval(() => {}, 1000);`,
    );
    const parent = startProcess([process.execPath, script]);
    try {
      const pid = Number(await eventually("the parent started Asterisk", () => /pid=(\d+)/.exec(parent.output())?.[1], 20_000));
      expect(isAlive(pid)).toBe(true);
      parent.kill("SIGKILL");
      await eventually("Asterisk ended", () => !isAlive(pid));
    } finally {
      await parent.stop();
      await folder.remove();
    }
  });

  test("stops twice, and at once when it is killed", async () => {
    const asterisk = await startTestAsterisk();
    asterisk.kill("SIGKILL");
    expect(await asterisk.exited).toEqual({ code: null, signal: "SIGKILL" });
    await asterisk.stop();
    await asterisk.stop();
    expect(isAlive(asterisk.pid)).toBe(false);
  });
});

function trunk(name: string, address: string, port: number): string {
  return `[${name}]
type = endpoint
context = from-${name}
transport = transport-udp
disallow = all
allow = ulaw
direct_media = no
aors = ${name}
[${name}]
type = aor
contact = sip:${address}:${port}
[${name}]
type = identify
endpoint = ${name}
match = ${address}
`;
}
