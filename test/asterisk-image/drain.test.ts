import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";

import { createAriHttp } from "../../src/adapters/ari/http.ts";
import { startTestAsterisk, type TestAsterisk, testAsteriskLocation } from "../harness/asterisk.ts";
import { eventually, temporaryFolder } from "../harness/process.ts";

const SCRIPT = fileURLToPath(new URL("../../asterisk-image/drain.sh", import.meta.url));

let asterisk: TestAsterisk;
const WAITS = "[drain]\nexten = s,1,Answer()\n same = n,Wait(600)\n";

beforeAll(async () => {
  asterisk = await startTestAsterisk({ files: { "extensions.d/10-drain.conf": WAITS } });
});
afterAll(() => asterisk.stop());

/** The hook, asking the Asterisk of `dir` as it asks that of its container. */
async function drain(seconds: number, dir = asterisk.dir, program?: string) {
  const { command } = await testAsteriskLocation();
  const asked = [...(program === undefined ? command : [program]), "-C", join(dir, "etc/asterisk.conf")].join(" ");
  const child = spawn(SCRIPT, { env: { PATH: process.env["PATH"], ASTERISK: asked, DIALPLANE_DRAIN_SECONDS: String(seconds) } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text: Buffer) => (output += text.toString()));
  return new Promise<{ readonly code: number | null; readonly output: string }>((resolve) => child.once("close", (code) => resolve({ code, output })));
}

test("the hook of Asterisk's container waits until the last call is over", async () => {
  const ari = createAriHttp(asterisk.ari);
  const channels = async () => (await ari.request("GET", "/channels")) as readonly { id: string }[];
  await ari.request("POST", "/channels", { endpoint: "Local/s@drain/n", context: "drain", extension: "s", priority: "1" });
  await eventually("a call", async () => (await channels()).length > 0);
  expect(await drain(1)).toEqual({ code: 1, output: "not drained within 1 s\n" });
  const waiting = drain(120);
  for (const { id } of await channels()) await ari.request("DELETE", `/channels/${id}`).catch(() => undefined);
  expect(await waiting).toEqual({ code: 0, output: "drained\n" });
  expect(await channels()).toEqual([]);
});

test("the hook ends at once where Asterisk is gone", async () => {
  const { code, output } = await drain(120, join(asterisk.dir, "nowhere"));
  expect(code).toBe(0);
  expect(output).toMatch(/^no Asterisk answers ".*nowhere\/etc\/asterisk.conf -rx": nothing to wait for\n$/);
});

test("an Asterisk that never answers is waited for no longer than any other", async () => {
  const folder = await temporaryFolder("drain");
  onTestFinished(() => folder.remove());
  const hangs = join(folder.path, "hangs");
  await writeFile(hangs, "#!/bin/sh\nexec sleep 60\n", { mode: 0o755 });
  expect(await drain(2, asterisk.dir, hangs)).toEqual({ code: 1, output: "not drained within 2 s\n" });
});

test("the hook fails where there is nothing to ask Asterisk with: nobody may take that for drained", async () => {
  const { code, output } = await drain(120, asterisk.dir, "no-such-program");
  expect(code).toBe(1);
  expect(output).toMatch(/there is no command "no-such-program .*calls are not waited for\n$/);
});
