import { closeUnobserved, POD_LOST } from "../domain/call/recognise.ts";
import { messageOf } from "../domain/errors.ts";
import type { Clock, Logger, RouterStore } from "../domain/ports.ts";
import { repeat } from "../shared/repeat.ts";
import type { Calls } from "./calls.ts";
import type { RecordSink } from "./record-sink.ts";

export interface LostCallsDeps {
  readonly store: Pick<RouterStore, "lostCalls">;
  readonly records: Pick<RecordSink, "save">;
  readonly calls: Pick<Calls, "find">;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOOK_MS = 30_000;

/**
 * Every router closes the records of pods that are gone for good: until then their calls count as live, at destinations and in
 * reports. All may do so at once: a record is written by its id, and an end that somebody saw always wins.
 *
 * A call has to be lost at two looks in a row: when the database was away, all pods have been silent for as long, and report within seconds.
 */
export function startLostCalls(deps: LostCallsDeps, lookMs = LOOK_MS): { stop(): void } {
  let seen: ReadonlySet<string> = new Set();
  const looks = repeat(async () => void (seen = await look(deps, seen)), {
    everyMs: lookMs,
    failed: (error) => {
      seen = new Set();
      deps.logger.debug({ error: messageOf(error) }, "calls of lost pods could not be looked for");
    },
  });
  return { stop: () => void looks.stop() };
}

/** @returns ids of the calls that are lost by this look */
async function look({ store, records, calls, clock, logger }: LostCallsDeps, before: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  // What goes on here is not lost, whoever took the call.
  const lost = (await store.lostCalls()).filter(({ id }) => calls.find(id) === undefined);
  const gone = lost.filter(({ id }) => before.has(id));
  for (const record of gone) records.save(closeUnobserved(record, clock.now(), POD_LOST));
  if (gone.length > 0) logger.warn({ calls: gone.length, pods: [...new Set(gone.map(({ pod }) => pod))] }, "records of pods that are gone were closed");
  return new Set(lost.map(({ id }) => id));
}
