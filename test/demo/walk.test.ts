import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { freeTcpPort } from "../harness/ports.ts";
import { startProcess, type TestProcess } from "../harness/process.ts";

const ROOT = join(import.meta.dirname, "../..");
let demo: TestProcess | undefined;
afterEach(() => demo?.stop());

function startDemo(args: readonly string[], variables: NodeJS.ProcessEnv = {}): TestProcess {
  const env = { ...process.env, ...variables };
  delete env["DATABASE_URL"];
  demo = startProcess([process.execPath, join(ROOT, "demo/main.ts"), ...args], { cwd: ROOT, env });
  return demo;
}

// On a port of its own: a demo may be running on this machine, and the quick start's manifests name another.
test("all nine steps of the claim hold on real parts, on the port that it is told, and the last line says so", async () => {
  const started = startDemo(["--check", "--json"], { DIALPLANE_HTTP_PORT: String(await freeTcpPort()) });
  const { code } = await started.exited;
  const line = started.output().trim().split("\n").findLast((text) => text.startsWith("{"));
  const { ok, claimWalk } = JSON.parse(line ?? "{}") as { ok: boolean; claimWalk: { step: number; ok: boolean; evidence: string }[] };
  expect(claimWalk.filter((step) => !step.ok)).toEqual([]);
  expect(claimWalk.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(claimWalk.every(({ evidence }) => evidence.length > 20)).toBe(true);
  expect({ ok, code }).toEqual({ ok: true, code: 0 });
}, 120_000);

test("a second demo says which port is taken, and touches nothing of the first one's", async () => {
  const [server, port] = [createServer(), await freeTcpPort()];
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  try {
    const started = startDemo(["--check"], { DIALPLANE_HTTP_PORT: String(port) });
    expect(await started.exited).toEqual({ code: 2, signal: null });
    expect(started.output()).toMatch(new RegExp(`HTTP.*127\\.0\\.0\\.1:${port}`));
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}, 60_000);
