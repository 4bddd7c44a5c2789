/** Rows of one statement: it takes milliseconds, and claims go on between two. */
export const BATCH = 2_000;

/** Only one process purges at a time; the others find nothing to do. Held for one statement. */
export const LOCK = "pg_try_advisory_xact_lock(724601341)";
