import type pg from "pg";
import { messageOf } from "../../domain/errors.ts";
import type { Logger } from "../../domain/ports.ts";
import type { ReadinessCheck } from "../../shared/health.ts";
import { repeat } from "../../shared/repeat.ts";
import { presentVersion, releasedVersion } from "./migrate.ts";

export interface SchemaWatch {
  readonly ready: ReadinessCheck;
  stop(): Promise<void>;
}

const EVERY_MILLISECONDS = 10_000;

/**
 * Whether the database has the schema that this release needs, now and from time to time. Who starts before it is migrated is not ready until it
 * is. Who was ready stays so, and so does a release that is older than the schema: the next one is on its way, or this one is a way back.
 */
export async function watchSchema(pool: pg.Pool, logger: Logger, everyMilliseconds = EVERY_MILLISECONDS): Promise<SchemaWatch> {
  const needed = await releasedVersion();
  let isReady = true;
  let wasRight = false;
  let level: "warn" | "debug" = "warn";
  let reason = "the database was not asked yet";

  const look = async () => {
    const present = await presentVersion(pool);
    level = "debug";
    wasRight ||= present >= needed;
    isReady = wasRight;
    const before = reason;
    reason = verdict(present, needed);
    if (present !== needed && reason !== before) logger.warn({ present, needed }, reason);
  };
  const looks = repeat(look, {
    everyMs: everyMilliseconds,
    // What was known last stays. A database that goes away is told of by others; of one that was never there a stand-by would learn when it leads.
    failed: (error) => {
      logger[level]({ error: messageOf(error) }, "the schema could not be looked at");
      level = "debug";
    },
  });
  void looks.now();
  return { ready: () => ({ ready: isReady, reason }), stop: () => looks.stop() };
}

function verdict(present: number, needed: number): string {
  if (present < needed) return `the database has schema ${present}, this release needs ${needed}: run dialplane migrate`;
  return present === needed ? `schema ${present}` : `the database has schema ${present}, this release was made for ${needed}: run a newer release`;
}
