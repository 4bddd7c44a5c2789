import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import pg from "pg";

import { migrate } from "../../src/adapters/postgres/migrate.ts";
import { createLogger } from "../../src/shared/logger.ts";
import { startPostgres } from "../../src/standalone/postgres-process.ts";
import { schemaOf } from "../lib/schema-dump.ts";

/** The database's schema as the migrations leave it: what a reviewer reads and what a changed migration shows up in. */
export async function generate(): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), "dialplane-schema-"));
  try {
    const server = await startPostgres({ dataDir: folder, logger: createLogger("warn"), settings: { fsync: "off" } });
    const pool = new pg.Pool({ connectionString: server.url });
    // The server may end a connection that the pool is just closing.
    pool.on("error", () => undefined);
    try {
      await migrate(pool);
      return { "src/adapters/postgres/schema.generated.sql": await schemaOf(pool) };
    } finally {
      await pool.end();
      await server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
