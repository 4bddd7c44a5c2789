import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import pg from "pg";
import { inject } from "vitest";

import "./global-setup.ts";

export interface TestDatabase {
  readonly url: string;
  readonly pool: pg.Pool;
  /** Ends the pool and drops the database, whoever else is still connected. */
  drop(): Promise<void>;
}

const MIGRATIONS = join(import.meta.dirname, "../../src/adapters/postgres");

/** A migrated database of its own, cloned from a template that is migrated once for each state of the migration files. */
export async function freshDatabase(): Promise<TestDatabase> {
  const name = `dialplane_test_${randomBytes(8).toString("hex")}`;
  const template = `dialplane_template_${await migrationsHash()}`;
  await asAdmin(async (admin) => {
    await ensureTemplate(admin, template);
    await admin.query(`create database ${name} template ${template}`);
  });
  return opened(name);
}

/** A database of its own with nothing in it, for tests of the migrations themselves. */
export async function emptyDatabase(): Promise<TestDatabase> {
  const name = `dialplane_test_${randomBytes(8).toString("hex")}`;
  await asAdmin((admin) => admin.query(`create database ${name}`));
  return opened(name);
}

function opened(name: string): TestDatabase {
  const url = urlOf(name);
  const pool = new pg.Pool({ connectionString: url });
  pool.on("connect", (client) => client.on("error", () => undefined));
  // Ended connections may still be open at the server when the database is dropped by force; that's no failure of the test.
  pool.on("error", () => undefined);
  const drop = async () => {
    if (!pool.ended) await pool.end();
    await asAdmin((admin) => admin.query(`drop database if exists ${name} with (force)`));
  };
  return { url, pool, drop };
}

/** Whoever holds the lock makes the template; it is marked as one only when it is complete. */
async function ensureTemplate(admin: pg.Client, template: string): Promise<void> {
  await admin.query("select pg_advisory_lock(hashtext($1::text)::bigint)", [template]);
  try {
    const found = await admin.query<{ datistemplate: boolean }>("select datistemplate from pg_database where datname = $1::text", [template]);
    if (found.rows[0]?.datistemplate === true) return;
    await admin.query(`drop database if exists ${template} with (force)`);
    await admin.query(`create database ${template}`);
    await migrated(template);
    await admin.query(`alter database ${template} with is_template true allow_connections false`);
  } finally {
    await admin.query("select pg_advisory_unlock(hashtext($1::text)::bigint)", [template]);
  }
}

async function migrated(name: string): Promise<void> {
  const { migrate } = await import("../../src/adapters/postgres/migrate.ts");
  const pool = new pg.Pool({ connectionString: urlOf(name), max: 2 });
  try {
    await migrate(pool);
  } finally {
    await pool.end();
  }
}

async function migrationsHash(): Promise<string> {
  const files = (await readdir(MIGRATIONS, { recursive: true })).filter((name) => name.endsWith(".sql") || name === "migrate.ts").sort();
  const hash = createHash("sha256");
  for (const file of files) hash.update(file).update("\0").update(await readFile(join(MIGRATIONS, file)));
  return hash.digest("hex").slice(0, 16);
}

async function asAdmin<T>(use: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = new pg.Client({ connectionString: adminUrl() });
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.end();
  }
}

function adminUrl(): string {
  const postgres = inject("postgres");
  if ("failure" in postgres) throw new Error(`there is no PostgreSQL for tests: ${postgres.failure}`);
  return postgres.url;
}

function urlOf(database: string): string {
  const url = new URL(adminUrl());
  url.pathname = `/${database}`;
  return url.href;
}
