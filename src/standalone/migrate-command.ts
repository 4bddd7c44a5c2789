import { z } from "zod";
import { connect } from "../adapters/postgres/connect.ts";
import { migrate } from "../adapters/postgres/migrate.ts";
import { readEnv } from "../shared/env.ts";
import { createLogger } from "../shared/logger.ts";
import { databaseUrl } from "../shared/variables.ts";

/** Everything that `dialplane migrate` reads. */
export const environment = z.object({ DATABASE_URL: databaseUrl });

/** `dialplane migrate`. @throws ExpectedError SchemaTooNew, Unavailable, PermissionDenied */
export async function main(env: NodeJS.ProcessEnv): Promise<number> {
  const { DATABASE_URL } = readEnv(environment, env);
  const logger = createLogger("info", { app: "migrate" });
  const pool = connect(DATABASE_URL, logger, { max: 1, statementTimeoutMilliseconds: 0 });
  try {
    await migrate(pool, logger);
  } finally {
    await pool.end();
  }
  process.stdout.write("the database has this release's schema\n");
  return 0;
}
