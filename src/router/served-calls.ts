import { mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Counter } from "prom-client";

import { SERVED_FILE } from "../domain/asterisk-names.ts";
import { messageOf } from "../domain/errors.ts";
import type { Logger, RouterStore } from "../domain/ports.ts";
import { parseServedCall } from "../domain/served-call.ts";
import type { CallRecord } from "../domain/types.ts";
import { repeat } from "../shared/repeat.ts";
import type { RecordSink } from "./record-sink.ts";

export interface ServedCallsDeps {
  readonly pod: string;
  /** Asterisk's configuration folder. */
  readonly dir: string;
  readonly store: Pick<RouterStore, "saveServedCalls">;
  readonly records: Pick<RecordSink, "saved" | "written">;
  readonly counter: Pick<Counter, "inc">;
  readonly logger: Logger;
}

export interface ServedCalls {
  /** Files whose calls the database does not have yet. */
  unread(): Promise<number>;
  stop(): Promise<void>;
}

const LOOK_MS = 2_000;
/** A hang-up handler that had opened the file before it was renamed has written its line by then. */
const SETTLE_MS = 1_000;
const AT_ONCE = 500;
/** A file that was taken away from Asterisk, by the time of that. */
const TAKEN = /\.([0-9]{13})$/;

/**
 * Calls that no router took, and the end of those that were handed back: Asterisk's dialplan writes a line for each into a file. The file is
 * taken away from Asterisk, its calls are written to the database, and then it is removed: whatever dies in between, it is read once more.
 * A call that was handed back has been saved by the router before its line was written.
 */
export function startServedCalls(deps: ServedCallsDeps, lookMs = LOOK_MS): ServedCalls {
  const file = join(deps.dir, SERVED_FILE);
  /** Files that were taken away, and how many records the router had saved by then: what it wrote of these calls goes first. */
  const marks = new Map<string, number>();
  const look = async () => {
    await take(file);
    for (const path of await taken(file)) {
      const mark = marks.get(path) ?? deps.records.saved;
      marks.set(path, mark);
      const { written } = deps.records;
      if (written === null || written < mark) continue;
      await record(deps, path);
      marks.delete(path);
    }
  };
  const looks = repeat(look, {
    everyMs: lookMs,
    failed: (error, again) => deps.logger[again ? "debug" : "warn"]({ file, error: messageOf(error) }, "calls that the dialplan served could not be recorded, trying again"),
  });
  return { unread: async () => (await filesOf(file)).length, stop: () => looks.stop() };
}

async function take(file: string): Promise<void> {
  try {
    await rename(file, `${file}.${Date.now()}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    // Asterisk makes the file, never the folder.
    await mkdir(dirname(file), { recursive: true });
  }
}

async function taken(file: string): Promise<readonly string[]> {
  const names = await filesOf(file);
  return names.filter((name) => Number(TAKEN.exec(name)?.[1] ?? Infinity) < Date.now() - SETTLE_MS).sort().map((name) => join(dirname(file), name));
}

async function filesOf(file: string): Promise<readonly string[]> {
  const names = await readdir(dirname(file)).catch(() => []);
  return names.filter((name) => name.startsWith(basename(file)));
}

async function record({ pod, store, counter, logger }: ServedCallsDeps, path: string): Promise<void> {
  let [calls, unreadable] = [0, 0];
  let batch: CallRecord[] = [];
  const write = async () => {
    if (batch.length > 0) await store.saveServedCalls(batch);
    calls += batch.length;
    batch = [];
  };
  // Line by line: after hours without a router there are hundreds of thousands.
  await using file = await open(path);
  for await (const line of file.readLines()) {
    const call = parseServedCall(line, pod);
    if (call === undefined) unreadable += 1;
    else if (batch.push(call) === AT_ONCE) await write();
  }
  await write();
  if (unreadable > 0) logger.warn({ lines: unreadable }, "lines about calls that the dialplan served were not as it writes them");
  await unlink(path);
  counter.inc(calls);
  logger.info({ calls }, "calls that the dialplan served were recorded");
}
