import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { type CallWorld, LOGS, startCallWorld } from "../chaos/call-world.ts";
import { startTestAsterisk } from "../harness/asterisk.ts";
import { eventually } from "../harness/process.ts";
import { CALLER_WAITS_FOR_BYE } from "./scenarios.ts";

/** The router as a program of its own, on a real Postgres and a real Asterisk, each of which goes away or answers late. */

let calls: CallWorld;
const parts = new AsyncDisposableStack();

beforeAll(async () => {
  calls = await startCallWorld(parts, "info");
  calls.startRouter();
  await calls.routerReady();
});
afterAll(() => parts.disposeAsync());
/** Records are not deleted between tests: one that is written twice after an outage would come back. */
let since = "";
beforeEach(() => {
  since = new Date().toISOString();
});

interface Stored {
  readonly ending: string | null;
  readonly attribution: string;
  readonly answered: boolean;
  readonly why: readonly { readonly reason: string }[];
}

/** All records of the test, once there are so many and every one has an end. */
async function records(count: number): Promise<readonly Stored[]> {
  const closed = async () => {
    const found = await calls.query<Stored>(
      `select ending, attribution, answered_at is not null as answered, why from call where received_at >= '${since}' order by received_at`,
    );
    return found.length >= count && found.every(({ ending }) => ending !== null) ? found : undefined;
  };
  const found = await eventually(`${count} records have an end`, closed, 40_000);
  expect(found).toHaveLength(count);
  return found;
}

/** How often each phone has rung since the router was started for the first time. */
async function rung(): Promise<Record<"desk" | "fallback", number>> {
  const count = async (name: "desk" | "fallback") => ((await readFile(join(calls.folder, LOGS[name]), "utf8").catch(() => "")).match(/ rang /g) ?? []).length;
  return { desk: await count("desk"), fallback: await count("fallback") };
}

async function log(): Promise<string> {
  return readFile(join(calls.folder, LOGS.router), "utf8");
}

async function talking(): Promise<void> {
  const bridged = async () => ((await calls.world.ari.request("GET", "/bridges")) as { channels: string[] }[]).some(({ channels }) => channels.length === 2);
  await eventually("two talk", bridged, 15_000);
}

test("Postgres needs 5 s an answer: the call is connected at once, without attribution, and its record comes when it comes", { timeout: 90_000 }, async () => {
  const before = await rung();
  calls.databaseWire.delay(5_000);
  expect(await calls.world.call()).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  const stored = await records(1);
  calls.databaseWire.mend();
  expect(stored).toMatchObject([{ ending: "completed", attribution: "unavailable" }]);
  expect(await rung()).toEqual({ desk: before.desk + 1, fallback: before.fallback });
  await calls.world.expectEmpty();
});

test("Postgres is killed while two talk, another calls meanwhile, and it comes back: both calls are whole and recorded once", { timeout: 90_000 }, async () => {
  const before = await rung();
  const first = calls.world.call({ holdMs: 3_000 });
  await talking();
  process.kill(calls.postgres().pid, "SIGKILL");
  await calls.postgres().exited;
  expect(await calls.world.call()).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  expect(await first).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  await calls.startPostgres();
  expect((await records(2)).map(({ ending }) => ending)).toEqual(["completed", "completed"]);
  expect(await rung()).toEqual({ desk: before.desk + 2, fallback: before.fallback });
  await calls.world.expectEmpty();
});

test("the router stands still for longer than either end of its socket waits: who talks goes on, who calls reaches the default destination", { timeout: 90_000 }, async () => {
  const before = await rung();
  const first = calls.world.call({ holdMs: 18_000, timeoutMs: 60_000 });
  await talking();
  calls.router().kill("SIGSTOP");
  const stoppedAt = performance.now();
  expect(await calls.world.call()).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  await eventually("both ends would have given up", () => performance.now() - stoppedAt > 12_000, 20_000);
  calls.router().kill("SIGCONT");
  expect(await first).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  const both = await records(2);
  expect(both).toMatchObject([{ ending: "completed", answered: true }, { ending: "completed", answered: true, why: [{ reason: "ServedByDialplan" }] }]);
  expect(await rung()).toEqual({ desk: before.desk + 1, fallback: before.fallback + 1 });
  await calls.world.expectEmpty();
});

test("the disk of the spool is full and Postgres is away: calls go on, the log says so, and no record is lost", { timeout: 120_000 }, async () => {
  calls.router().kill("SIGKILL");
  await calls.router().exited;
  calls.startRouter(withSmallDisk(join(calls.folder, "spool")));
  await calls.routerReady();
  calls.databaseWire.cut();
  expect(await calls.world.call({ calls: 40, rate: 10 })).toMatchObject({ exitCode: 0, stats: { successful: 40 } });
  await eventually("the log says that the disk is full", async () => /ENOSPC|no space left/i.test(await log()), 20_000);
  calls.databaseWire.mend();
  expect((await records(40)).filter(({ ending }) => ending !== "completed")).toEqual([]);
  await calls.world.expectEmpty();
});

/** A file system of 16 kB in place of the folder, for this process alone: a namespace of its own needs no rights where users may have one. */
function withSmallDisk(dir: string): readonly string[] {
  const unshare = process.getuid?.() === 0 ? ["unshare", "--mount"] : ["unshare", "--user", "--map-root-user", "--mount"];
  return [...unshare, "sh", "-c", 'mkdir -p "$0" && mount -t tmpfs -o size=16k dialplane "$0" && exec "$@"', dir];
}

test("Asterisk is killed and started again while the router is up: the record says so, and the next call goes where the rule says", { timeout: 120_000 }, async () => {
  const { asterisk } = calls.world;
  const cut = calls.world.call({ scenario: CALLER_WAITS_FOR_BYE, timeoutMs: 3_000 });
  await talking();
  const trunks = await readFile(join(asterisk.configDir, "pjsip.d/trunks.conf"), "utf8");
  asterisk.kill("SIGKILL");
  await asterisk.exited;
  const { sipAddress, sipPort, dir } = asterisk;
  const httpPort = Number(new URL(asterisk.ari.url).port);
  const again = { dir, sipAddress, sipPort, httpPort, ariPassword: asterisk.ari.password, files: { "pjsip.d/trunks.conf": trunks } };
  parts.use(await startTestAsterisk(again));
  expect(await records(1)).toMatchObject([{ ending: "failed", answered: true }]);
  expect((await records(1))[0]?.why.map(({ reason }) => reason)).toContain("AsteriskRestarted");
  await cut;
  await calls.routerReady();
  const before = await rung();
  expect(await calls.world.call()).toMatchObject({ exitCode: 0, stats: { successful: 1 } });
  expect((await records(2)).at(-1)).toMatchObject({ ending: "completed" });
  expect(await rung()).toEqual({ desk: before.desk + 1, fallback: before.fallback });
  await calls.world.expectEmpty();
});
