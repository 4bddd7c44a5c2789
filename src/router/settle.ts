import { setTimeout as sleep } from "node:timers/promises";

import { AFTERWARDS, closeUnobserved, HANDED_BACK } from "../domain/call/recognise.ts";
import type { Ended, Origin } from "../domain/call/states.ts";
import { messageOf } from "../domain/errors.ts";
import type { Clock, Logger, RouterStore } from "../domain/ports.ts";
import type { CallRecord } from "../domain/types.ts";
import type { Calls } from "./calls.ts";
import type { RecordSink } from "./record-sink.ts";

export interface SettleDeps {
  readonly pod: string;
  readonly store: Pick<RouterStore, "openCalls">;
  readonly records: Pick<RecordSink, "save" | "replayed">;
  readonly calls: Calls;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const RETRY_MS = 500;

/**
 * Every call of an earlier router gets a record with an end: those that go on are recognised and will close theirs, those that
 * were handed to the dialplan say so, and for the others the truth is that nobody saw the end. Waits for the database, and for
 * the spool, which may hold the ends.
 *
 * @param handedBack by call id: callers who were given to the dialplan just now
 * @param before calls received later are this router's own
 */
export async function settleRecords(deps: SettleDeps, handedBack: ReadonlyMap<string, Origin>, before: Date): Promise<void> {
  const open = await openCalls(deps, before, [...handedBack.keys(), ...deps.calls.all().map(({ id }) => id)]);
  for (const record of open) settleOne(deps, record, handedBack.has(record.id));
  const recorded = new Set(open.map(({ id }) => id));
  const unknown = [...handedBack].filter(([id]) => !recorded.has(id));
  for (const [id, origin] of unknown) deps.records.save(closeUnobserved(unrecorded(id, origin), deps.clock.now(), HANDED_BACK));
  if (open.length + unknown.length > 0) {
    deps.logger.info({ open: open.length, unknown: unknown.length, reasons: AFTERWARDS }, "records of an earlier router were settled");
  }
}

async function openCalls({ pod, store, records, logger, signal }: SettleDeps, before: Date, ids: readonly string[]): Promise<readonly CallRecord[]> {
  while (!signal.aborted) {
    try {
      if (records.replayed) return await store.openCalls(pod, before, ids);
    } catch (error) {
      logger.debug({ error: messageOf(error) }, "open records could not be read, trying again");
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
  return [];
}

function settleOne({ calls, records, clock }: SettleDeps, record: CallRecord, handedBack: boolean): void {
  const live = calls.find(record.id);
  if (live !== undefined) {
    if (live.origin === null) calls.happen(record.id, { type: "Recognised", record });
    return;
  }
  const ended = calls.takeUnrecorded(record.id);
  if (ended !== undefined) records.save(endedAs(record, ended));
  else if (handedBack) records.save(closeUnobserved(record, clock.now(), HANDED_BACK));
  else records.save(closeUnobserved(record, clock.now()));
}

function endedAs(record: CallRecord, { end, endedAt, inbound, cause }: Ended): CallRecord {
  const { legs, why } = closeUnobserved(record, endedAt, { rule: null, matched: false, reason: "RouterRestarted", message: "the router was restarted during the call" });
  return { ...record, legs, why, endedAt, end, hangupCause: inbound.hangupCause ?? cause };
}

/** Killed between the call's arrival and its first record. */
function unrecorded(id: string, origin: Origin): CallRecord {
  return {
    ...origin,
    id,
    answeredAt: null,
    bridgedAt: null,
    endedAt: null,
    end: null,
    hangupCause: null,
    attribution: "unavailable",
    prospect: null,
    mediaElement: null,
    attributes: {},
    rule: null,
    answeredBy: null,
    bridge: null,
    legs: [],
    why: [],
  };
}
