import { messageOf } from "../domain/errors.ts";
import type { Logger } from "../domain/ports.ts";
import { repeat } from "../shared/repeat.ts";

const firstMilliseconds = 2_000;
const everyMilliseconds = 3_600_000;

/** Deletes what is too old, once an hour; a failure is tried again with the next. The answer stops it. */
export function startRetention(purge: () => Promise<Readonly<Record<string, number>>>, logger: Logger, times = { firstMilliseconds, everyMilliseconds }): () => Promise<void> {
  const run = async () => {
    const purged = await purge();
    const isAny = Object.values(purged).some((rows) => rows > 0);
    logger[isAny ? "info" : "debug"](purged, "what was too old is deleted");
  };
  const runs = repeat(run, {
    firstMs: times.firstMilliseconds,
    everyMs: times.everyMilliseconds,
    failed: (error) => logger.warn({ reason: messageOf(error) }, "what is too old could not be deleted"),
  });
  return () => runs.stop();
}
