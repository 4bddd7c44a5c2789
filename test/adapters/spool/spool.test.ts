import { appendFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { Spool } from "../../../src/adapters/spool/spool.ts";
import { eventually, temporaryFolder } from "../../harness/process.ts";

let folder: { readonly path: string; remove(): Promise<void> };
beforeEach(async () => void (folder = await temporaryFolder("spool")));
afterEach(() => folder.remove());

const open = (of: { maxBytes?: number; segmentBytes?: number; segmentSeconds?: number } = {}) =>
  Spool.open({ dir: folder.path, maxBytes: 1_000_000, segmentBytes: 1_000, segmentSeconds: 60, ...of });
const files = async () => (await readdir(folder.path)).sort();

async function readAll(spool: Spool): Promise<string[]> {
  const all: string[] = [];
  while (spool.hasUnread) all.push(...((await spool.readNext())?.lines ?? []));
  return all;
}

describe("the spool", () => {
  test("gives the next process every line in order, over any number of files", async () => {
    const lines = Array.from({ length: 200 }, (_, i) => `line ${i} ${"x".repeat(40)}`);
    const first = await open();
    for (const line of lines) await first.append(line);
    expect((await files()).length).toBeGreaterThan(5);
    // Killed: never closed.
    const next = await open();
    expect(await readAll(next)).toEqual(lines);
    await first.close();
  });

  test("writes what comes in one turn of the event loop at once and answers each", async () => {
    const spool = await open();
    const segments = await Promise.all(Array.from({ length: 50 }, (_, i) => spool.append(String(i))));
    expect(new Set(segments).size).toBe(1);
    expect(await readAll(await open())).toHaveLength(50);
    await spool.close();
  });

  test("gives the disk back when nobody needs a line any more", async () => {
    const spool = await open();
    const segments: number[] = [];
    for (let i = 0; i < 100; i += 1) segments.push(await spool.append("y".repeat(60)));
    for (const segment of segments) spool.done(segment);
    await spool.close();
    expect(await files()).toEqual([]);
    expect(spool.bytes).toBe(0);
  });

  test("keeps what is still needed when it is closed", async () => {
    const spool = await open();
    spool.done(await spool.append("written"));
    await spool.append("needed");
    await spool.close();
    expect(await readAll(await open())).toEqual(["written", "needed"]);
  });

  test("leaves out a line that was torn and goes on in a new file", async () => {
    const first = await open();
    await first.append("whole");
    await appendFile(join(folder.path, (await files())[0] ?? ""), "to");
    const next = await open();
    await next.append("new");
    expect(await readAll(next)).toEqual(["whole"]);
    expect(await readAll(await open())).toEqual(["whole", "new"]);
    await Promise.all([first.close(), next.close()]);
  });

  test("refuses more than its limit and takes lines again once there is room", async () => {
    const spool = await open({ maxBytes: 100, segmentBytes: 50 });
    const first = await spool.append("a".repeat(60));
    await expect(spool.append("b".repeat(60))).rejects.toThrow("limit of 100 bytes");
    spool.done(first);
    await eventually("the first file is gone", () => spool.bytes === 0);
    await spool.append("c".repeat(60));
    expect(await readAll(await open())).toEqual(["c".repeat(60)]);
    await spool.close();
  });

  test("counts what an earlier process left", async () => {
    await writeFile(join(folder.path, "000000000007.jsonl"), "z".repeat(90));
    const spool = await open({ maxBytes: 100 });
    expect(spool.bytes).toBe(90);
    await expect(spool.append("more than ten")).rejects.toThrow("limit");
    expect(await readAll(spool)).toEqual([]);
    await spool.append("more than ten");
    await spool.close();
  });

  test("reads lines that were set aside once more, with those that came before them in the same file", async () => {
    const spool = await open();
    const segment = await spool.append("held in memory");
    spool.setAside(await spool.append("only here"));
    const read = await spool.readNext();
    expect(read).toEqual({ segment, lines: ["held in memory", "only here"] });
    spool.done(segment, 2);
    expect(await files()).toHaveLength(1);
    spool.done(segment);
    await spool.close();
    expect(await files()).toEqual([]);
  });

  test("removes a small file that is old enough once nobody needs a line of it, and goes on in a new one", async () => {
    const spool = await open({ segmentSeconds: 1 });
    const segment = await spool.append("first");
    spool.done(segment);
    await spool.sync();
    expect(await files()).toHaveLength(1);
    await sleep(1_100);
    const needed = await spool.append("needed");
    await spool.sync();
    expect(await files()).toHaveLength(1);
    spool.done(needed);
    await spool.sync();
    const next = await spool.append("what comes meanwhile");
    await eventually("the first file is gone", async () => (await files()).length === 1);
    expect(next).not.toBe(segment);
    expect(await readAll(await open())).toEqual(["what comes meanwhile"]);
    spool.done(next);
    await spool.close();
    expect(await files()).toEqual([]);
  });

  test("loses nothing of what is appended while old files are removed", async () => {
    const spool = await open({ segmentSeconds: 0 });
    const lines = Array.from({ length: 300 }, (_, i) => `line ${i}`);
    for (const [i, line] of lines.entries()) {
      const [segment] = await Promise.all([spool.append(line), spool.sync()]);
      if (i % 3 !== 0) spool.done(segment);
    }
    const kept = await readAll(await open());
    for (let i = 0; i < lines.length; i += 3) expect(kept).toContain(lines[i]);
    await spool.close();
  });
});
