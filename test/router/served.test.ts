import { mkdir, open, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";

import { programDialplan } from "../../src/adapters/asterisk-config/dialplan.ts";
import { SERVED_FILE } from "../../src/domain/asterisk-names.ts";
import type { CallRecord } from "../../src/domain/types.ts";
import { refusedWith } from "../adapters/asterisk-config/scenarios.ts";
import { startServedCalls } from "../../src/router/served-calls.ts";
import { silent } from "../harness/logger.ts";
import { eventually, temporaryFolder } from "../harness/process.ts";
import { scenarioText, type SippCall, startSippServer, type SippServer } from "../harness/sipp.ts";
import { CALLER, DID, type Rules, type RunningRouter, setRules, startTestRouter, startWorld, toUri, type World } from "./world.ts";

/** Calls that the dialplan serves by itself leave a record all the same. */
let world: World;
let fallback: SippServer;
let busy: SippServer;
let router: RunningRouter;
const parts = new AsyncDisposableStack();
const TRUNK = "default/carrier";

beforeAll(async () => {
  fallback = parts.use(await startSippServer({ scenario: "answer-200.xml" }));
  busy = parts.use(await startSippServer({ scenario: "busy-486.xml" }));
  world = await startWorld(toUri(fallback));
  parts.defer(() => world.stop());
});
afterAll(() => parts.disposeAsync());

/** Leaves its dialplan in Asterisk and goes away. */
async function withoutRouter(pool: { readonly defaultDestination: { readonly sipUri: string } }): Promise<void> {
  const first = await startTestRouter(world, { rule: null, pool });
  await first.stop();
}

async function recorded(calls: number): Promise<readonly CallRecord[]> {
  router = await startTestRouter(world, { rule: null });
  try {
    await eventually("the records", () => router.store.served.length === calls, 15_000);
    await eventually("the file is read", async () => (await readdir(dirname(join(world.asterisk.configDir, SERVED_FILE)))).length === 0);
    return router.store.served;
  } finally {
    await router.stop();
  }
}

describe("without a router", () => {
  beforeEach(() => withoutRouter({ defaultDestination: { sipUri: toUri(fallback) } }));

  test("calls are answered, and recorded by the next router, each once", async () => {
    const before = Date.now();
    const caller: Partial<SippCall> = { calls: 20, rate: 50, holdMs: 1_000 };
    expect((await world.call(caller)).stats).toMatchObject({ successful: 20, failed: 0 });
    const records = await recorded(20);
    expect(new Set(records.map(({ id }) => id)).size).toBe(20);
    for (const record of records) {
      expect(record).toMatchObject({ pod: "pod-0", did: DID, pool: "default/sales", caller: CALLER, end: "completed", answeredBy: toUri(fallback), attribution: "unavailable" });
      expect(record.legs).toMatchObject([{ destination: toUri(fallback), trunk: TRUNK, result: "answered" }]);
      const [received, answered, ended] = [record.receivedAt, record.answeredAt, record.endedAt].map((at) => at?.getTime() ?? 0) as [number, number, number];
      expect(received).toBeGreaterThanOrEqual(before);
      expect(answered).toBeGreaterThanOrEqual(received);
      expect(ended - answered).toBeGreaterThanOrEqual(950);
      expect(ended).toBeLessThanOrEqual(Date.now());
    }
  });

  test("a caller who hides the number is not named, and hostile text of a caller is in no record", async () => {
    const scenario = (await scenarioText("call-answered.xml")).replace("Max-Forwards: 70", "Max-Forwards: 70\n      [extra]").replaceAll("[caller]", "[sender]");
    const from = (sender: string, extra = "Subject: none") => world.call({ scenario, transport: "tcp", keys: { sender, extra } });
    expect(await from(CALLER, `P-Asserted-Identity: <sip:${CALLER}@carrier.example>\r\nPrivacy: id`)).toMatchObject({ exitCode: 0 });
    expect(await from(CALLER, "Privacy: user;id")).toMatchObject({ exitCode: 0 });
    expect(await from(encodeURIComponent("+1|x|${SHELL(id)}|"))).toMatchObject({ exitCode: 0 });
    const records = await recorded(3);
    expect(records.map(({ caller }) => caller)).toEqual([null, null, null]);
    expect(JSON.stringify(records)).not.toContain("SHELL");
  });
});

test("a caller whose user part is no number is not named, to nobody: digits within it would be somebody else's", async () => {
  const first = await startTestRouter(world, { rule: null });
  await setRules(world, first, { rule: null, callerId: { pAssertedIdentity: "Caller" } });
  await first.stop();
  const before = (await fallback.messages()).length;
  const scenario = (await scenarioText("call-answered.xml")).replaceAll("[caller]", "[sender]");
  const others = ["x447911123456y", "sales.441134960000", "+1312+5550123", "3125550123", "+1-312-555-0123", "+12345678901234567", encodeURIComponent('+13125550123"')];
  for (const sender of [...others, CALLER, CALLER.slice(1)]) expect(await world.call({ scenario, transport: "tcp", keys: { sender } })).toMatchObject({ exitCode: 0 });
  const asserted = (await fallback.messages()).slice(before).filter(({ startLine, direction }) => direction === "received" && startLine.startsWith("INVITE"));
  const user = (header: string | undefined) => (header === undefined ? null : /sip:(.*)@/.exec(header)?.[1]);
  expect(asserted.map((invite) => user(invite.header("P-Asserted-Identity")))).toEqual([...others.map(() => null), CALLER, CALLER.slice(1)]);
  expect((await recorded(others.length + 2)).map(({ caller }) => caller)).toEqual([...others.map(() => null), CALLER, CALLER]);
});

test("a caller whom the pool refuses is refused as the router would, and recorded; others are answered", async () => {
  const first = await startTestRouter(world, { rule: null });
  await setRules(world, first, { rule: null, pool: { blockedCallers: ["+1312", "+442071838750", "+0", "+19"] } });
  await first.stop();
  const text = (await scenarioText("call-answered.xml")).replace("Max-Forwards: 70", "Max-Forwards: 70\n      [headers]");
  const call = (from: string, scenario: string, headers = "Subject: none") => world.call({ scenario, transport: "tcp", from, keys: { headers } });
  const blocked = [CALLER, CALLER.slice(1), `00${CALLER.slice(1)}`, "+442071838750"];
  for (const from of blocked) expect(await call(from, refusedWith(403))).toMatchObject({ exitCode: 0 });
  const others = ["+442071838751", "+4413125550123", "+1800", "anonymous", encodeURIComponent(`${CALLER},1)} | 1`)];
  for (const from of others) expect(await call(from, text)).toMatchObject({ exitCode: 0 });
  expect(await call(CALLER, text, "Privacy: id")).toMatchObject({ exitCode: 0 });
  const records = await recorded(blocked.length + others.length + 1);
  for (const record of records.slice(0, blocked.length)) {
    expect(record).toMatchObject({ end: "refused", hangupCause: 21, legs: [], answeredAt: null, answeredBy: null, why: [{ reason: "CallerBlocked", matched: true }] });
  }
  expect(records.slice(0, blocked.length).map(({ caller }) => caller)).toEqual([CALLER, CALLER, CALLER, "+442071838750"]);
  expect(records.slice(blocked.length).map(({ end }) => end)).toEqual(Array.from({ length: others.length + 1 }, () => "completed"));
});

const LINE = "1|1795911968.2|YQ==|acme/sales|+12025550199|acme/carrier|+12025550110|allowed|+13125550123|1795911969047|1795911970259|ANSWER|1207|16";

/** What reads the dialplan's file, which is in a folder of its own, and often. */
async function reading(records: { readonly saved: number; readonly written: number }, saveServedCalls: (calls: readonly CallRecord[]) => Promise<void>) {
  const folder = await temporaryFolder("served");
  const path = join(folder.path, SERVED_FILE);
  await mkdir(dirname(path));
  const served = startServedCalls({ pod: "pod-0", dir: folder.path, store: { saveServedCalls }, records, counter: { inc: () => undefined }, logger: silent }, 20);
  const files = () => readdir(dirname(path));
  return {
    path,
    files,
    taken: () => eventually("it is taken away from Asterisk", async () => (await files()).every((name) => name.startsWith("calls.log."))),
    recorded: () => eventually("it is recorded", async () => (await files()).length === 0),
    stop: async () => {
      await served.stop();
      await folder.remove();
    },
  };
}

test("calls of a router that is never idle are recorded as soon as the database has what it had saved of them", async () => {
  const records = { saved: 7, written: 6 };
  const saved: string[] = [];
  const reader = await reading(records, (calls) => Promise.resolve(void saved.push(...calls.map(({ pool }) => pool))));
  await writeFile(reader.path, `${LINE}\n${LINE.slice(0, 40)}\n`);
  await reader.taken();
  await sleep(1_500);
  expect(saved).toEqual([]);
  Object.assign(records, { saved: 9, written: 7 });
  await reader.recorded();
  expect(saved).toEqual(["acme/sales"]);
  await reader.stop();
});

test("calls that the database does not take stay on the disk until it does", async () => {
  const there: number[] = [];
  const reader = await reading({ saved: 0, written: 0 }, async () => {
    there.push((await reader.files()).length);
    if (there.length === 1) throw new Error("away");
  });
  await writeFile(reader.path, `${LINE}\n`);
  await reader.taken();
  await reader.recorded();
  expect(there).toEqual([1, 1]);
  await reader.stop();
});

test("a line of a hang-up handler that had the file open when it was taken away is read as well", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    const saved: string[] = [];
    const reader = await reading({ saved: 0, written: 0 }, (calls) => Promise.resolve(void saved.push(...calls.map(({ pool }) => pool))));
    const takenAt = Date.now();
    await using handler = await open(reader.path, "a");
    await reader.taken();
    // When the second of these is taken away, a look has passed over the first.
    for (const ms of [999, 1_000]) {
      vi.setSystemTime(takenAt + ms);
      await writeFile(reader.path, `${LINE.replace("acme/sales", `acme/${ms}`)}\n`);
      await reader.taken();
    }
    expect(saved).toEqual([]);
    await handler.write(`${LINE}\n`);
    vi.setSystemTime(takenAt + 10_000);
    await reader.recorded();
    expect(saved).toEqual(["acme/sales", "acme/999", "acme/1000"]);
    await reader.stop();
  } finally {
    vi.useRealTimers();
  }
});

test("a busy default destination is recorded as busy, with its cause", async () => {
  await withoutRouter({ defaultDestination: { sipUri: toUri(busy) } });
  expect(await world.call({ scenario: refusedWith(486), keys: { headers: "Subject: none" } })).toMatchObject({ exitCode: 0 });
  expect(await recorded(1)).toMatchObject([{ end: "busy", hangupCause: 17, answeredAt: null, legs: [{ result: "busy" }] }]);
});

test.each([
  ["403 Forbidden", 403, "declined", 21],
  ["404 Not Found", 404, "declined", 1],
  ["603 Decline", 403, "declined", 21],
  ["500 Server Internal Error", 500, "congestion", 38],
  ["408 Request Timeout", 408, "unreachable", 18],
] as const)("a default destination that answers %s is recorded as a router would, with its cause", async (answer, heard, result, hangupCause) => {
  await using parts = new AsyncDisposableStack();
  const says = parts.use(await startSippServer({ scenario: (await scenarioText("busy-486.xml")).replace("486 Busy Here", answer) }));
  await withoutRouter({ defaultDestination: { sipUri: toUri(says) } });
  expect(await world.call({ scenario: refusedWith(heard), keys: { headers: "Subject: none" } })).toMatchObject({ exitCode: 0 });
  expect(await recorded(1)).toMatchObject([{ end: result, hangupCause, answeredAt: null, legs: [{ result, hangupCause }] }]);
});

/** Rings for a while, then says no. */
const DECLINES = `<?xml version="1.0" encoding="UTF-8"?>
<scenario name="ring, then 603">
  <recv request="INVITE"/>
${["180 Ringing", "603 Decline"].map((line) => `  <send><![CDATA[
      SIP/2.0 ${line}
      [last_Via:]
      [last_From:]
      [last_To:];tag=[pid]s[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Contact: <sip:[local_ip]:[local_port];transport=[transport]>
      Content-Length: 0

  ]]></send>`).join('\n  <pause milliseconds="2500"/>\n')}
  <recv request="ACK"/>
</scenario>`;

test("a dialplan with more steps that is loaded while the default destination rings does not have it rung again when it says no", async () => {
  await using parts = new AsyncDisposableStack();
  const declines = parts.use(await startSippServer({ scenario: DECLINES }));
  const world = await startWorld(toUri(declines));
  parts.defer(() => world.stop());
  const install = (pool: NonNullable<Rules["pool"]>) => programDialplan({ dir: world.asterisk.configDir, ari: world.ari, revision: world.state({ rule: null, pool }).dialplan });
  await install({});
  const call = world.call({ scenario: refusedWith(403), keys: { headers: "Subject: none" } });
  const rung = async () => (await declines.messages()).filter(({ direction, startLine }) => direction === "received" && startLine.startsWith("INVITE")).length;
  await eventually("it rings", async () => (await rung()) > 0);
  await install({ blockedCallers: ["+4420"] });
  expect(await call).toMatchObject({ stats: { successful: 1 } });
  expect(await rung()).toBe(1);
});
