import { cp, mkdir, readdir, readFile, readlink, realpath, writeFile } from "node:fs/promises";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Condition } from "../../src/domain/api.generated.ts";
import { startCarrier, type TestCarrier } from "../harness/carrier.ts";
import { freeTcpPort, loopbackAddress } from "../harness/ports.ts";
import { eventually, isAlive, startProcess, temporaryFolder, type TestProcess } from "../harness/process.ts";

const ROOT = join(import.meta.dirname, "../..");
const START_LIMIT_MS = 60_000;

interface Seen {
  readonly resources: readonly { kind: string; metadata: { name: string; generation: number }; spec: Record<string, unknown>; status: { conditions: Condition[] } }[];
  readonly problems: readonly { file: string; document: number | null; field: string | null; message: string }[];
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let env: NodeJS.ProcessEnv;
let url: string;
let running: TestProcess | undefined;
let carrier: TestCarrier;

beforeEach(async () => {
  folder = await temporaryFolder("standalone");
  carrier = await startCarrier();
  await cp(join(ROOT, "examples/quickstart"), join(folder.path, "manifests"), { recursive: true });
  await edit("trunk.yaml", (text) => text.replace("host: 127.0.0.2", `host: ${carrier.address}`));
  const port = await freeTcpPort();
  url = `http://127.0.0.1:${port}`;
  env = {
    ...process.env,
    DIALPLANE_MANIFESTS: join(folder.path, "manifests"),
    DIALPLANE_DATA_DIR: join(folder.path, "data"),
    DIALPLANE_HTTP_PORT: String(port),
    DIALPLANE_SIP_ADDRESS: await loopbackAddress(),
    DIALPLANE_RETENTION_DAYS: "30",
  };
  delete env["DATABASE_URL"];
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  await carrier[Symbol.asyncDispose]();
  await folder.remove();
});

function start(): TestProcess {
  running = startProcess([process.execPath, join(ROOT, "src/cli.ts"), "standalone"], { cwd: ROOT, env });
  return running;
}

async function started(): Promise<TestProcess> {
  const standalone = start();
  const up = () => standalone.output().includes("Dialplane is up");
  await eventually("standalone is up", async () => up() || ((await exitOf(standalone, 0)) !== "runs" && Promise.reject(new Error(standalone.output()))), START_LIMIT_MS);
  return standalone;
}

function exitOf(process: TestProcess, withinMs: number): Promise<number | null | "runs"> {
  const late = new Promise<"runs">((resolve) => setTimeout(() => resolve("runs"), withinMs));
  return Promise.race([process.exited.then(({ code }) => code), late]);
}

async function seen(): Promise<Seen> {
  return (await (await fetch(`${url}/v1/resources`)).json()) as Seen;
}

async function condition(kind: string, name: string, type: string): Promise<Condition | undefined> {
  const resource = (await seen()).resources.find((one) => one.kind === kind && one.metadata.name === name);
  return resource?.status.conditions.find((one) => one.type === type);
}

const becomes = (kind: string, name: string, type: string, status: string) =>
  eventually(`${kind} ${name} is ${type}=${status}`, async () => {
    const found = await condition(kind, name, type);
    return found?.status === status ? found : undefined;
  }, 20_000);

async function edit(file: string, change: (text: string) => string): Promise<void> {
  const path = join(folder.path, "manifests", file);
  await writeFile(path, change(await readFile(path, "utf8")));
}

describe("manifests that change while it runs", () => {
  test("are applied without a restart; what is wrong is named, and the last good state stays", async () => {
    // That nothing was too old is said to who wants to know everything.
    env["DIALPLANE_LOG_LEVEL"] = "debug";
    const standalone = await started();
    await becomes("NumberPool", "sales", "Ready", "True");
    await becomes("RoutingRule", "front-desk", "Ready", "True");
    // The carrier answers OPTIONS.
    await becomes("SipTrunk", "carrier", "Ready", "True");

    await eventually("what is too old is deleted", () => standalone.output().includes("what was too old is deleted"), 30_000);

    // A rule that changes is in force with its new generation.
    const before = (await seen()).resources.find(({ metadata }) => metadata.name === "pricing")!;
    await edit("rules.yaml", (text) => text.replace('"+12025550142"', '"+12025550143"'));
    await eventually("the new destination", async () => {
      const rule = (await seen()).resources.find(({ metadata }) => metadata.name === "pricing");
      return rule?.metadata.generation === before.metadata.generation + 1 && JSON.stringify(rule.spec).includes("+12025550143");
    });
    await becomes("RoutingRule", "pricing", "Ready", "True");

    // A number out of format refuses the file and nothing else.
    const good = await readFile(join(folder.path, "manifests/pool.yaml"), "utf8");
    await edit("pool.yaml", (text) => text.replace('from: "+12025550110"', 'from: "202-555-0110"'));
    const problem = await eventually("the number out of format", async () => (await seen()).problems[0]);
    expect(problem).toMatchObject({ file: "pool.yaml", field: "spec.ranges[0].from", message: expect.stringContaining("must") as string });
    expect(await condition("NumberPool", "sales", "Ready")).toMatchObject({ status: "True" });

    // An unreadable manifest likewise.
    await writeFile(join(folder.path, "manifests/pool.yaml"), "kind: [unclosed");
    await eventually("the unreadable manifest", async () => (await seen()).problems.some(({ file, field }) => file === "pool.yaml" && field === null));
    expect(await condition("NumberPool", "sales", "Ready")).toMatchObject({ status: "True" });
    await writeFile(join(folder.path, "manifests/pool.yaml"), good);
    await eventually("no problem", async () => (await seen()).problems.length === 0);

    // Two pools with the same number: the older keeps it, the younger says who holds it.
    await writeFile(join(folder.path, "manifests/second.yaml"), good.replace("name: sales", "name: second").replace('to: "+12025550119"', 'to: "+12025550129"').replace('from: "+12025550110"', 'from: "+12025550119"'));
    const conflict = await becomes("NumberPool", "second", "Accepted", "False");
    expect(conflict).toMatchObject({ reason: "NumberConflict", message: expect.stringMatching(/\+12025550119.*default\/sales/) as string });
    // Ready again as soon as the new dialplan is verified.
    await becomes("NumberPool", "sales", "Ready", "True");
  }, 120_000);
});

describe("call records", () => {
  test("are shown without the token to who sits at the machine, and to nobody who comes through a proxy; where the token is kept is said at the start", async () => {
    const standalone = await started();
    const file = join(folder.path, "data/api-token");
    await eventually("it is said", () => standalone.output().includes(file));
    const ask = async (headers: Record<string, string>) => (await fetch(`${url}/v1/calls`, { headers })).status;
    expect(await ask({})).toBe(200);
    const handedOn = { "X-Forwarded-For": "203.0.113.9" };
    expect(await ask(handedOn)).toBe(401);
    expect(await ask({ ...handedOn, Authorization: `Bearer ${await readFile(file, "utf8")}` })).toBe(200);
    // A proxy that adds nothing is known by the site that it stands before.
    await edit("pool.yaml", (text) => text.replace("- http://localhost:8080", "- https://acme.example"));
    await eventually("the token is asked for", async () => (await ask({})) === 401);
  }, 120_000);
});

describe("it leaves nothing running", () => {
  test("after SIGTERM: every process that it started is gone, and it ends with 0", async () => {
    const standalone = await started();
    const descendants = await childrenOf(standalone.pid);
    expect(descendants.length).toBeGreaterThanOrEqual(2);
    // What the starts that fail are looked at by: Postgres and Asterisk are found that way.
    expect((await standingIn(folder.path)).length).toBeGreaterThanOrEqual(2);
    process.kill(standalone.pid, "SIGTERM");
    expect(await standalone.exited).toMatchObject({ code: 0 });
    await eventually("its children are gone", () => descendants.every((pid) => !isAlive(pid)));
    const logged = standalone.output().split("\n").filter((line) => line.startsWith("{"));
    expect(logged.length).toBeGreaterThan(0);
    expect(logged.filter((line) => JSON.stringify(JSON.parse(line)) !== line), "lines with a field twice").toEqual([]);
  }, 120_000);
});

/** Pids of all living descendants. */
async function childrenOf(pid: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => "");
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
  }
  const below = (of: number): number[] => [...parents].filter(([, parent]) => parent === of).flatMap(([child]) => [child, ...below(child)]);
  return below(pid);
}

/** Pids of all processes that stand in a folder or below, whoever is their parent: Postgres and Asterisk stand in the data folder. */
async function standingIn(folder: string): Promise<number[]> {
  const below = `${await realpath(folder)}/`;
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const places = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => "")));
  return pids.filter((_, i) => places[i]!.startsWith(below)).map(Number);
}

describe("what cannot be started is said in one line, with exit code 2 (1: not now), and nothing is left behind:", () => {
  const cases: Record<string, { readonly prepare: () => Promise<() => Promise<void>> | (() => Promise<void>); readonly says: RegExp; readonly code?: 1 }> = {
    "an HTTP port in use": {
      prepare: async () => {
        const server = createServer();
        await new Promise<void>((resolve) => server.listen(Number(env["DIALPLANE_HTTP_PORT"]), "127.0.0.1", resolve));
        return () => new Promise((resolve) => server.close(() => resolve()));
      },
      says: /HTTP.*127\.0\.0\.1:\d+.*in use/i,
    },
    "a SIP port in use": {
      prepare: async () => {
        const socket = createSocket("udp4");
        await new Promise<void>((resolve) => socket.bind({ address: env["DIALPLANE_SIP_ADDRESS"]!, port: 5060 }, resolve));
        return () => new Promise((resolve) => socket.close(() => resolve()));
      },
      says: /SIP.*:5060.*in use/i,
    },
    "no folder of manifests": {
      prepare: () => {
        env["DIALPLANE_MANIFESTS"] = join(folder.path, "nowhere");
        return () => Promise.resolve();
      },
      says: /DIALPLANE_MANIFESTS: must be a readable folder/,
    },
    "a data folder that can't be written": {
      prepare: async () => {
        await writeFile(join(folder.path, "file"), "");
        env["DIALPLANE_DATA_DIR"] = join(folder.path, "file", "data");
        return () => Promise.resolve();
      },
      says: /DIALPLANE_DATA_DIR: must be a folder that can be written/,
    },
    "no Asterisk to be had": {
      prepare: async () => {
        const bin = join(folder.path, "bin");
        await mkdir(bin);
        Object.assign(env, { PATH: bin, ASTERISK_ROOT: join(folder.path, "no-asterisk"), DIALPLANE_CACHE_DIR: join(folder.path, "no-cache") });
        return () => Promise.resolve();
      },
      says: /Asterisk .* was not found .*ASTERISK_ROOT/,
    },
    "a database that is not there": {
      prepare: () => {
        env["DATABASE_URL"] = "postgres://u:secret@127.0.0.1:1/db";
        return () => Promise.resolve();
      },
      says: /^dialplane: the database of DATABASE_URL can't be used: connect ECONNREFUSED 127\.0\.0\.1:1$/m,
      code: 1,
    },
    "several variables out of format, all named at once": {
      prepare: () => {
        Object.assign(env, { DIALPLANE_HTTP_PORT: "http", DIALPLANE_SIP_ADDRESS: "everywhere" });
        return () => Promise.resolve();
      },
      says: /DIALPLANE_HTTP_PORT[^]*DIALPLANE_SIP_ADDRESS/,
    },
  };

  test.each(Object.keys(cases))("%s", async (name) => {
    const { prepare, says, code = 2 } = cases[name]!;
    const undo = await prepare();
    try {
      const standalone = start();
      expect(await standalone.exited).toEqual({ code, signal: null });
      expect(standalone.output()).toMatch(says);
      expect(standalone.output()).not.toMatch(/\n\s+at /);
      expect(await standingIn(folder.path)).toEqual([]);
    } finally {
      await undo();
    }
  }, 90_000);
});
