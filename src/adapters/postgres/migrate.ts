import { readdir, readFile } from "node:fs/promises";
import type pg from "pg";
import { ExpectedError, wrap } from "../../domain/errors.ts";

const FOLDER = new URL("./sql/", import.meta.url);
/** Any constant will do, as long as every release uses the same. */
const ADVISORY_LOCK = 724_601_338;

interface Migration {
  readonly version: number;
  readonly sql: string;
}

/**
 * Brings the database to this release's schema: forward only, one transaction a migration, one process at a time.
 * @throws ExpectedError SchemaTooNew when a newer release was here
 */
export async function migrate(pool: pg.Pool): Promise<void> {
  const migrations = await readMigrations();
  const client = await pool.connect();
  try {
    // Neither waiting for another process nor a migration is bound by the time that a statement may take otherwise.
    await client.query("set statement_timeout = 0");
    await client.query("select pg_advisory_lock($1::bigint)", [ADVISORY_LOCK]);
    try {
      const present = await presentVersion(client);
      const newest = migrations.at(-1)?.version ?? 0;
      if (present > newest) {
        throw new ExpectedError("SchemaTooNew", `the database has schema ${present}, this release knows up to ${newest}: run a newer release`);
      }
      for (const migration of migrations.filter(({ version }) => version > present)) await applyOne(client, migration);
    } finally {
      // A connection that is lost took the lock along.
      await client.query("select pg_advisory_unlock($1::bigint)", [ADVISORY_LOCK]).catch(() => undefined);
      await client.query("reset statement_timeout").catch(() => undefined);
    }
  } finally {
    client.release();
  }
}

async function readMigrations(): Promise<readonly Migration[]> {
  const names = (await readdir(FOLDER)).filter((name) => /^\d{6}\.sql$/.test(name)).sort();
  return Promise.all(names.map(async (name) => ({ version: Number(name.slice(0, 6)), sql: await readFile(new URL(name, FOLDER), "utf8") })));
}

async function presentVersion(client: pg.PoolClient): Promise<number> {
  await client.query("create table if not exists migration (version int primary key, applied_at timestamptz not null default now())");
  const { rows } = await client.query<{ version: number | null }>("select max(version) as version from migration");
  return rows[0]?.version ?? 0;
}

async function applyOne(client: pg.PoolClient, { version, sql }: Migration): Promise<void> {
  try {
    await client.query("begin");
    await client.query(sql);
    await client.query("insert into migration (version) values ($1::int)", [version]);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => undefined);
    throw wrap(`applying migration ${version}`, error);
  }
}
