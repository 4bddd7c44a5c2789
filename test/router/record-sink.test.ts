import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { recordOf } from "../../src/domain/call/record.ts";
import type { CallRecord } from "../../src/domain/types.ts";
import { routerMetrics } from "../../src/router/metrics.ts";
import { diskJournal } from "../../src/router/record-journal.ts";
import { SpooledRecordSink } from "../../src/router/record-sink.ts";
import { parseRecordText, recordText } from "../../src/router/record-text.ts";
import { STATES } from "../domain/call/builders.ts";
import { eventually, temporaryFolder } from "../harness/process.ts";

let folder: { readonly path: string; remove(): Promise<void> };
beforeEach(async () => void (folder = await temporaryFolder("records")));
afterEach(() => folder.remove());

function aRecord(id: string, of: keyof typeof STATES = "received"): CallRecord {
  const call = STATES[of]();
  if (call.origin === null) throw new Error("a call without an origin has no record");
  return { ...recordOf(call, call.origin), id };
}

/** A sink over a database that can be taken away, and a folder that stays. */
function start(database: { away: boolean; readonly written: CallRecord[] }, of: { dir?: string; maxInMemory?: number; segmentSeconds?: number; saveCall?: (record: CallRecord) => Promise<void> } = {}) {
  const registry = new Registry();
  const metrics = routerMetrics(registry);
  const logged: string[] = [];
  const logger = pino({ level: "info" }, { write: (line: string) => void logged.push(line) });
  const saveCall = (record: CallRecord) => {
    if (database.away) return Promise.reject(new Error("away"));
    database.written.push(record);
    return Promise.resolve();
  };
  const journal = diskJournal({ dir: of.dir ?? folder.path, maxBytes: 1_000_000, segmentBytes: 10_000, segmentSeconds: of.segmentSeconds ?? 60 }, logger, metrics);
  const sink = new SpooledRecordSink({ store: { saveCall: of.saveCall ?? saveCall }, logger, metrics, journal, ...(of.maxInMemory === undefined ? {} : { maxInMemory: of.maxInMemory }) });
  const metric = async (name: string) => (await registry.getSingleMetric(name)?.get())?.values[0]?.value;
  return { sink, metric, log: () => logged.join("") };
}

const ids = (records: readonly CallRecord[]) => records.map(({ id }) => id);

describe("call records", () => {
  test("are read back from their text as they were", () => {
    for (const kind of Object.keys(STATES) as (keyof typeof STATES)[]) {
      const record = aRecord("one", kind);
      expect(parseRecordText(recordText(record))).toEqual(record);
    }
    const torn = recordText(aRecord("one")).slice(0, -9);
    expect([torn, "", "null", "{}", "[1]"].map(parseRecordText)).toEqual([undefined, undefined, undefined, undefined, undefined]);
  });

  test("keep a reason that another version wrote", () => {
    const line = recordText(aRecord("one")).replace(/"why":\[.*\]/, '"why":[{"rule":null,"matched":false,"reason":"OfAnotherVersion","message":"something"}]');
    expect(parseRecordText(line)?.why).toEqual([{ rule: null, matched: false, reason: "OfAnotherVersion", message: "something" }]);
  });

  test("written by the database are not written again by the next router", async () => {
    const database = { away: false, written: [] as CallRecord[] };
    const first = start(database);
    first.sink.save(aRecord("one"));
    expect(await first.sink.stop(5_000)).toBe(0);
    const next = start(database);
    await eventually("replayed", () => next.sink.replayed);
    expect(ids(database.written)).toEqual(["one"]);
    await next.sink.stop(1_000);
  });

  test("written by the database leave the disk soon, while the router runs on; those that it has not stay", async () => {
    const database = { away: true, written: [] as CallRecord[] };
    const { sink, metric } = start(database, { segmentSeconds: 1 });
    sink.save(aRecord("one"));
    await eventually("on disk", async () => ((await metric("dialplane_router_spool_bytes")) ?? 0) > 0);
    await sleep(2_500);
    expect(await readdir(folder.path)).toHaveLength(1);
    database.away = false;
    await eventually("nothing is on the disk", async () => (await readdir(folder.path)).length === 0);
    await eventually("that is told", async () => (await metric("dialplane_router_spool_bytes")) === 0);
    sink.save(aRecord("two"));
    expect(await sink.stop(1_000)).toBe(0);
    expect(ids(database.written)).toEqual(["one", "two"]);
  });

  test("are counted when they are saved, and as written when the database has all until then; what is on the disk counts first", async () => {
    const database = { away: true, written: [] as CallRecord[] };
    const killed = start(database);
    killed.sink.save(aRecord("one"));
    await eventually("on disk", async () => ((await killed.metric("dialplane_router_spool_bytes")) ?? 0) > 0);
    const { sink } = start(database);
    expect([sink.saved, sink.written]).toEqual([0, null]);
    sink.save(aRecord("two"));
    sink.save(aRecord("two", "ended"));
    expect([sink.saved, sink.written]).toEqual([2, null]);
    database.away = false;
    await eventually("replayed", () => sink.replayed);
    expect(sink.written).toBe(sink.saved);
    database.away = true;
    sink.save(aRecord("three"));
    const mark = sink.saved;
    await eventually("it was tried", () => sink.waiting === 1);
    expect(sink.written).toBe(mark - 1);
    database.away = false;
    await eventually("it is written", () => sink.written === mark);
    await sink.stop(1_000);
    await killed.sink.stop(0);
  });

  test("that a killed router had are written by the next one, in their order, the last state of each", async () => {
    const database = { away: true, written: [] as CallRecord[] };
    const killed = start(database);
    for (const id of ["one", "two", "three"]) killed.sink.save(aRecord(id));
    killed.sink.save(aRecord("one", "ended"));
    await eventually("on disk", async () => ((await killed.metric("dialplane_router_spool_bytes")) ?? 0) > 0);
    const onDisk = { away: false, written: [] as CallRecord[] };
    const next = start(onDisk);
    await eventually("replayed", () => next.sink.replayed);
    expect(ids(onDisk.written)).toEqual(["one", "two", "three"]);
    expect(onDisk.written[0]?.endedAt).not.toBeNull();
    await next.sink.stop(1_000);
    await killed.sink.stop(0);
  });

  test("that were only kept are not the database's, until a router that died before it saved them is followed by another", async () => {
    const database = { away: false, written: [] as CallRecord[] };
    const killed = start(database);
    for (const id of ["one", "two"]) killed.sink.keep(aRecord(id));
    killed.sink.save(aRecord("two", "ended"));
    await eventually("written", () => database.written.length === 1);
    expect(database.written).toMatchObject([{ id: "two", end: "max-duration" }]);
    const next = start(database);
    await eventually("replayed", () => next.sink.replayed);
    expect(ids(database.written)).toContain("one");
    await next.sink.stop(1_000);
    await killed.sink.stop(0);
  });

  test("that were kept leave the disk with the last state of their call, also when memory is full", async () => {
    const dir = join(folder.path, "spool");
    const database = { away: true, written: [] as CallRecord[] };
    const { sink } = start(database, { dir, maxInMemory: 3 });
    const all = Array.from({ length: 30 }, (_, i) => `call-${i}`);
    for (const id of all) sink.keep(aRecord(id));
    for (const id of all) sink.save(aRecord(id, "ended"));
    database.away = false;
    await eventually("all written", () => new Set(ids(database.written)).size === all.length);
    expect(await sink.stop(1_000)).toBe(0);
    const next = start(database, { dir });
    await eventually("replayed", () => next.sink.replayed);
    expect(database.written.every(({ end }) => end !== null)).toBe(true);
    await next.sink.stop(1_000);
  });

  test("reach a database that comes back", async () => {
    const database = { away: true, written: [] as CallRecord[] };
    const { sink } = start(database);
    sink.save(aRecord("one"));
    await eventually("tried", () => sink.waiting === 1);
    database.away = false;
    await eventually("written", () => database.written.length === 1);
    expect(await sink.stop(1_000)).toBe(0);
  });

  test("wait on the disk when memory is full, and none is lost", async () => {
    const database = { away: true, written: [] as CallRecord[] };
    const { sink, metric } = start(database, { maxInMemory: 3 });
    const all = Array.from({ length: 30 }, (_, i) => `call-${i}`);
    all.forEach((id) => sink.save(aRecord(id)));
    database.away = false;
    await eventually("all written", () => new Set(ids(database.written)).size === all.length);
    expect(await metric("dialplane_router_records_dropped_total")).toBe(0);
    expect(await sink.stop(1_000)).toBe(0);
  });

  test("go on in memory when the disk takes nothing, and that is said", async () => {
    const blocked = join(folder.path, "blocked");
    await writeFile(blocked, "a file where the folder should be");
    const database = { away: false, written: [] as CallRecord[] };
    const { sink, metric, log } = start(database, { dir: blocked });
    sink.save(aRecord("one"));
    await eventually("written", () => database.written.length === 1);
    await eventually("said", () => log().includes("the spool can't be written"));
    expect(await metric("dialplane_router_spool_refused_total")).toBeGreaterThan(0);
    expect(await sink.stop(1_000)).toBe(0);
  });

  test("use the disk again after it was full", async () => {
    const dir = join(folder.path, "spool");
    const database = { away: true, written: [] as CallRecord[] };
    const { sink, metric } = start(database, { dir });
    await eventually("the folder is there", () => mkdir(dir).then(() => false, () => true));
    await rm(dir, { recursive: true });
    sink.save(aRecord("one"));
    await eventually("refused", async () => (await metric("dialplane_router_spool_refused_total")) === 1);
    await mkdir(dir);
    sink.save(aRecord("two"));
    await eventually("written to the disk", async () => ((await metric("dialplane_router_spool_bytes")) ?? 0) > 0);
    database.away = false;
    await eventually("written", () => database.written.length === 2);
    expect(await sink.stop(1_000)).toBe(0);
  });

  test("of a call that moves on while the database is away are one", async () => {
    const database = { away: true, written: [] as CallRecord[] };
    const { sink } = start(database);
    sink.save(aRecord("one"));
    sink.save(aRecord("one", "bridged"));
    sink.save(aRecord("one", "ended"));
    database.away = false;
    await eventually("written", () => sink.waiting === 0);
    expect(database.written.at(-1)?.end).toBe("max-duration");
    await sink.stop(1_000);
  });

  test("of one call are never written at the same time, and a state whose write failed is not put over a newer one", async () => {
    const database = { away: false, written: [] as CallRecord[] };
    const first = Promise.withResolvers<undefined>();
    const begun: CallRecord[] = [];
    const underWay = new Set<string>();
    let overlaps = 0;
    const saveCall = async (record: CallRecord) => {
      if (underWay.has(record.id)) overlaps += 1;
      underWay.add(record.id);
      try {
        if (begun.push(record) === 1) await first.promise;
        database.written.push(record);
      } finally {
        underWay.delete(record.id);
      }
    };
    const { sink } = start(database, { saveCall });
    sink.save(aRecord("one"));
    await eventually("it is under way", () => begun.length === 1);
    sink.save(aRecord("one", "ended"));
    sink.save(aRecord("two"));
    // It came later and is written: all that may be written was.
    await eventually("another call's", () => ids(database.written).includes("two"));
    first.reject(new Error("away"));
    await eventually("written", () => sink.waiting === 0);
    expect(database.written).toMatchObject([{ id: "two" }, { id: "one", end: "max-duration" }]);
    expect([begun.length, overlaps]).toEqual([3, 0]);
    expect(await sink.stop(1_000)).toBe(0);
    expect(await readdir(folder.path)).toEqual([]);
  });
});
