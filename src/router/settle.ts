import { AFTERWARDS } from "../domain/call-reasons.ts";
import { closeUnobserved, HANDED_BACK, recognise } from "../domain/call/recognise.ts";
import { firstRecord } from "../domain/call/start.ts";
import { messageOf } from "../domain/errors.ts";
import type { Clock, Logger, RouterStore } from "../domain/ports.ts";
import type { CallRecord } from "../domain/types.ts";
import { pause } from "../shared/backoff.ts";
import type { Calls } from "./calls.ts";
import type { RecordSink } from "./record-sink.ts";
import type { Found } from "./recover.ts";

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
 * @param found in Asterisk just now
 * @param before calls of this pod received later are this router's own; null: the pod's other calls have been settled already
 */
export async function settleRecords(deps: SettleDeps, { handedBack, adopted }: Pick<Found, "handedBack" | "adopted">, before: Date | null): Promise<void> {
  if (before === null && handedBack.size + adopted.size === 0) return;
  const open = await openCalls(deps, before, [...handedBack.keys(), ...adopted.keys()]);
  // Stopped meanwhile: the next router settles what the disk and the database say.
  if (open === undefined) return;
  for (const record of open) settleOne(deps, record, handedBack.has(record.id));
  const recorded = new Set(open.map(({ id }) => id));
  const unknown = [...handedBack].filter(([id]) => !recorded.has(id));
  for (const [id, origin] of unknown) settleOne(deps, firstRecord(id, origin), true);
  for (const [id, askOrigin] of adopted) {
    const origin = recorded.has(id) ? null : await askOrigin().catch(() => null);
    if (origin !== null) settleOne(deps, firstRecord(id, origin), false);
  }
  if (open.length + unknown.length > 0) {
    deps.logger.info({ open: open.length, unknown: unknown.length, reasons: AFTERWARDS }, "records of an earlier router were settled");
  }
}

async function openCalls({ pod, store, records, clock, logger, signal }: SettleDeps, before: Date | null, ids: readonly string[]): Promise<readonly CallRecord[] | undefined> {
  while (!signal.aborted) {
    try {
      if (records.replayed) return await store.openCalls(before === null ? null : pod, before ?? clock.now(), ids);
    } catch (error) {
      logger.debug({ error: messageOf(error) }, "open records could not be read, trying again");
    }
    await pause(RETRY_MS, signal);
  }
  return undefined;
}

function settleOne({ calls, records, clock }: SettleDeps, record: CallRecord, handedBack: boolean): void {
  const live = calls.find(record.id);
  if (live !== undefined) {
    if (live.origin === null) calls.dispatch(record.id, { type: "Recognised", record });
    return;
  }
  const ended = calls.takeUnrecorded(record.id);
  if (ended !== undefined) recognise(ended, record, ended.endedAt)[1].forEach((command) => command.type === "SaveRecord" && records.save(command.record));
  else if (handedBack) records.save(closeUnobserved(record, clock.now(), HANDED_BACK));
  else records.save(closeUnobserved(record, clock.now()));
}
