import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";

import type { CallRecord } from "../../src/domain/types.ts";
import { settleRecords } from "../../src/router/settle.ts";
import { aCall } from "../adapters/postgres/world.ts";
import { silent } from "../harness/logger.ts";
import { eventually } from "../harness/process.ts";
import { testCalls } from "./builders.ts";

const NOTHING = { handedBack: new Map(), adopted: new Map() };

/** A router that comes after another one, whose record the database has as open. */
function settling(over: { readonly openCalls?: () => Promise<readonly CallRecord[]> } = {}) {
  const open = aCall();
  const [saved, stopping] = [[] as CallRecord[], new AbortController()];
  const records = { replayed: false, save: (record: CallRecord) => void saved.push(record) };
  const store = { openCalls: over.openCalls ?? (() => Promise.resolve([open])) };
  const clock = { now: () => new Date() };
  const settled = settleRecords({ pod: "pod-0", store, records, calls: testCalls(), clock, logger: silent, signal: stopping.signal }, NOTHING, new Date());
  return { open, saved, records, stopping, settled };
}

test("no record is closed before the database has what the disk holds: its end may be among it", async () => {
  const { open, saved, records, settled } = settling();
  await sleep(600);
  expect(saved).toEqual([]);
  records.replayed = true;
  await settled;
  expect(saved).toMatchObject([{ id: open.id, end: "failed" }]);
});

test("a database that is away is asked again; a router that is stopped meanwhile closes nothing, the next one does", async () => {
  let asked = 0;
  const { saved, records, stopping, settled } = settling({ openCalls: () => Promise.reject(new Error(`away for time ${(asked += 1)}`)) });
  records.replayed = true;
  await eventually("it was asked again", () => asked >= 2);
  stopping.abort();
  await settled;
  expect(saved).toEqual([]);
});
