import { messageOf } from "../domain/errors.ts";
import type { Logger } from "../domain/ports.ts";

const firstMilliseconds = 2_000;
const everyMilliseconds = 3_600_000;

/** Deletes what is too old, once an hour; a failure is tried again with the next. The answer stops it. */
export function startRetention(purge: () => Promise<Readonly<Record<string, number>>>, logger: Logger, times = { firstMilliseconds, everyMilliseconds }): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  const run = () => {
    running = running
      .then(purge)
      .then((purged) => {
        const isAny = Object.values(purged).some((rows) => rows > 0);
        logger[isAny ? "info" : "debug"](purged, "what was too old is deleted");
      })
      .catch((error: unknown) => logger.warn({ reason: messageOf(error) }, "what is too old could not be deleted"));
  };
  const first = setTimeout(run, times.firstMilliseconds).unref();
  const timer = setInterval(run, times.everyMilliseconds).unref();
  return async () => {
    clearTimeout(first);
    clearInterval(timer);
    await running;
  };
}
