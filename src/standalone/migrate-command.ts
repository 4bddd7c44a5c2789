import { z } from "zod";
import { connect } from "../adapters/postgres/connect.ts";
import { migrate } from "../adapters/postgres/migrate.ts";
import { readEnv } from "../shared/env.ts";
import { createLogger } from "../shared/logger.ts";

const schema = z.object({ DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: "must be a postgres:// URL" }) });

/** `dialplane migrate`. @throws ExpectedError SchemaTooNew */
export async function main(env: NodeJS.ProcessEnv): Promise<number> {
  const { DATABASE_URL } = readEnv(schema, env);
  const pool = connect(DATABASE_URL, createLogger("info", { app: "migrate" }), { max: 1, statementTimeoutMilliseconds: 0 });
  try {
    await migrate(pool);
  } finally {
    await pool.end();
  }
  process.stdout.write("the database has this release's schema\n");
  return 0;
}
