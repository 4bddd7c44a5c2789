import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withLock } from "../../scripts/lib/lock.mjs";

let folder = "";
let lock = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dialplane-lock-"));
  lock = join(folder, "deep", "set-up.lock");
});
afterEach(() => rm(folder, { recursive: true }));

describe("withLock", () => {
  test("lets one action run at a time and tells the other whom it waits for", async () => {
    const order: string[] = [];
    const notes: string[] = [];
    const told = Promise.withResolvers<undefined>();
    const action = (name: string) => async () => {
      order.push(`${name} begins`);
      await told.promise;
      order.push(`${name} ends`);
    };
    const note = (text: string): void => {
      notes.push(text);
      told.resolve(undefined);
    };
    await Promise.all([withLock(lock, action("a"), note), withLock(lock, action("b"), note)]);
    expect(order.map((line) => line.slice(2))).toEqual(["begins", "ends", "begins", "ends"]);
    expect(notes).toEqual([`waiting for another set-up (process ${process.pid})`]);
  });

  test("takes over a lock whose holder is gone", async () => {
    const gone = spawnSync(process.execPath, ["-e", ""]).pid;
    const stale = join(folder, "stale.lock");
    await writeFile(stale, String(gone));
    expect(await withLock(stale, () => Promise.resolve("done"), () => undefined)).toBe("done");
  });

  test("is released when the action fails", async () => {
    await expect(withLock(lock, () => Promise.reject(new Error("no")), () => undefined)).rejects.toThrow("no");
    expect(existsSync(lock)).toBe(false);
  });
});
