import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { ExpectedError, messageOf, rootCauseOf, wrap } from "../../domain/errors.ts";
import type { Logger } from "../../domain/ports.ts";
import { isReadOnly, sqlState } from "./retry.ts";

const FOLDER = new URL("./sql/", import.meta.url);
/** Any constant will do, as long as every release uses the same. */
const ADVISORY_LOCK = 724_601_338;

/**
 * A statement that waits for a table holds up everybody who comes after it, claims too: it gives up before they do (5 s), lets them through, and
 * comes again. One reader is enough to be waited for, as a dump of the database that takes an hour.
 */
const LOCK_TIMEOUT = "2s";
const PAUSE_MILLISECONDS = 4_000;
/** lock_not_available (PostgreSQL, appendix A). */
const LOCKED = "55P03";
/** insufficient_privilege (likewise). */
const FORBIDDEN = "42501";

interface Migration {
  readonly version: number;
  readonly sql: string;
}

/**
 * Brings the database to this release's schema: forward only, one transaction a migration, one process at a time.
 * @throws ExpectedError SchemaTooNew when a newer release was here, Unavailable (also of a stand-by), or PermissionDenied for a user who may not make tables
 */
export async function migrate(pool: pg.Pool, logger?: Logger): Promise<void> {
  const migrations = await readMigrations();
  const client = await pool.connect().catch((error: unknown) => {
    throw new ExpectedError("Unavailable", `the database of DATABASE_URL can't be used: ${rootCauseOf(error)}`, { field: "DATABASE_URL", cause: error });
  });
  try {
    // Neither waiting for another process nor a migration is bound by the time that a statement may take otherwise.
    await client.query("set statement_timeout = 0");
    await client.query("select pg_advisory_lock($1::bigint)", [ADVISORY_LOCK]);
    try {
      await client.query("create table if not exists migration (version int primary key, applied_at timestamptz not null default now())").catch(refuseForbidden);
      const present = await presentVersion(client);
      const newest = migrations.at(-1)?.version ?? 0;
      if (present > newest) {
        throw new ExpectedError("SchemaTooNew", `the database has schema ${present}, this release knows up to ${newest}: run a newer release`);
      }
      for (const migration of migrations.filter(({ version }) => version > present)) await applyPatiently(client, migration, logger);
    } finally {
      // A connection that is lost took the lock along.
      await client.query("select pg_advisory_unlock($1::bigint)", [ADVISORY_LOCK]).catch(() => undefined);
      await client.query("reset statement_timeout").catch(() => undefined);
    }
  } finally {
    client.release();
  }
}

function refuseForbidden(error: unknown): never {
  if (isReadOnly(error)) {
    throw new ExpectedError("Unavailable", `DATABASE_URL: must be of a server that can be written to: ${messageOf(error)}`, { field: "DATABASE_URL", cause: error });
  }
  if (sqlState(error) !== FORBIDDEN) throw error;
  throw new ExpectedError("PermissionDenied", `DATABASE_URL: must be of a user who may make tables: ${messageOf(error)}`, { field: "DATABASE_URL", cause: error });
}

async function readMigrations(): Promise<readonly Migration[]> {
  const names = (await readdir(FOLDER)).filter((name) => /^\d{6}\.sql$/.test(name)).sort();
  return Promise.all(names.map(async (name) => ({ version: Number(name.slice(0, 6)), sql: await readFile(new URL(name, FOLDER), "utf8") })));
}

/** The schema that this release brings. */
export async function releasedVersion(): Promise<number> {
  return (await readMigrations()).at(-1)?.version ?? 0;
}

/** The schema that the database has; 0 before the first migration. */
export async function presentVersion(queryable: Pick<pg.ClientBase, "query">): Promise<number> {
  const { rows: tables } = await queryable.query<{ there: boolean }>("select to_regclass('migration') is not null as there");
  if (tables[0]?.there !== true) return 0;
  const { rows } = await queryable.query<{ version: number | null }>("select max(version) as version from migration");
  return rows[0]?.version ?? 0;
}

async function applyPatiently(client: pg.PoolClient, migration: Migration, logger?: Logger): Promise<void> {
  while (!(await applyOne(client, migration))) {
    logger?.warn({ migration: migration.version, holders: await holders(client) }, "a table that has to be changed is in use; will try again");
    await sleep(PAUSE_MILLISECONDS);
  }
}

/** Whether it was applied: not when a table was in use. */
async function applyOne(client: pg.PoolClient, { version, sql }: Migration): Promise<boolean> {
  try {
    await client.query("begin");
    await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
    await client.query(sql);
    await client.query("insert into migration (version) values ($1::int)", [version]);
    await client.query("commit");
    return true;
  } catch (error) {
    await client.query("rollback").catch(() => undefined);
    if (sqlState(error) === LOCKED) return false;
    throw wrap(`applying migration ${version}`, error);
  }
}

/** Transactions that use tables of ours for longer than was waited, the oldest first. */
async function holders(client: pg.PoolClient): Promise<readonly object[]> {
  const { rows } = await client.query<{ pid: number; user: string; application: string; seconds: number; tables: readonly string[] }>(
    `select a.pid, a.usename as user, a.application_name as application, extract(epoch from now() - a.xact_start)::int as seconds,
       array_agg(distinct c.relname::text) as tables
     from pg_stat_activity a
     join pg_locks l on l.pid = a.pid and l.locktype = 'relation' and l.granted
     join pg_class c on c.oid = l.relation and c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace
     where a.datname = current_database() and a.pid <> pg_backend_pid() and a.xact_start < now() - $1::interval
     group by a.pid, a.usename, a.application_name, a.xact_start order by a.xact_start limit 5`,
    [LOCK_TIMEOUT],
  );
  return rows;
}
