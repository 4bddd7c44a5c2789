import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { connect } from "../../../src/adapters/postgres/connect.ts";
import { migrate } from "../../../src/adapters/postgres/migrate.ts";
import { watchSchema, type SchemaWatch } from "../../../src/adapters/postgres/schema-watch.ts";
import type { Logger } from "../../../src/domain/ports.ts";
import { listeningLogger, silent } from "../../harness/logger.ts";
import { emptyDatabase, type TestDatabase } from "../../harness/postgres.ts";
import { eventually } from "../../harness/process.ts";

let database: TestDatabase;
beforeEach(async () => (database = await emptyDatabase()));
afterEach(() => database.drop());

const as = (options: string) => connect(`${database.url}?options=${encodeURIComponent(options)}`, silent, { max: 1 });

const versions = async () => (await database.pool.query<{ version: number }>("select version from migration order by version")).rows.map((row) => row.version);

/** Numbers of the files that a release brings, without a gap. */
async function released(): Promise<number[]> {
  const files = await readdir(join(import.meta.dirname, "../../../src/adapters/postgres/sql"));
  expect(files.length).toBeGreaterThan(1);
  return files.map((_, index) => index + 1);
}

describe("migrations", () => {
  test("may run again and change nothing", async () => {
    await migrate(database.pool);
    const { rows: before } = await database.pool.query("select * from migration");
    await migrate(database.pool);
    expect((await database.pool.query("select * from migration")).rows).toEqual(before);
    expect(await versions()).toEqual(await released());
  });

  test("run once when five processes start at the same time", async () => {
    const pools = Array.from({ length: 5 }, () => connect(database.url, silent, { max: 1 }));
    await Promise.all(pools.map((pool) => migrate(pool)));
    expect(await versions()).toEqual(await released());
    await Promise.all(pools.map((pool) => pool.end()));
  });

  test("leave a database of a newer release alone", async () => {
    await migrate(database.pool);
    await database.pool.query("insert into migration (version) values (999)");
    await expect(migrate(database.pool)).rejects.toMatchObject({ code: "SchemaTooNew", message: expect.stringContaining("999") as string });
    // The lock is given back: the next process isn't kept waiting.
    await database.pool.query("delete from migration where version = 999");
    await migrate(database.pool);
  });

  test("of a user who may not make tables say so", async () => {
    await database.pool.query("revoke create on schema public from public");
    const pool = as("-c role=pg_read_all_data");
    await expect(migrate(pool)).rejects.toMatchObject({
      ...{ code: "PermissionDenied", field: "DATABASE_URL" },
      message: "DATABASE_URL: must be of a user who may make tables: permission denied for schema public",
    });
    await pool.end();
  });

  test("of a server that can only be read say so, and that it may be tried again", async () => {
    const pool = as("-c default_transaction_read_only=on");
    await expect(migrate(pool)).rejects.toMatchObject({
      ...{ code: "Unavailable", field: "DATABASE_URL" },
      message: "DATABASE_URL: must be of a server that can be written to: cannot execute CREATE TABLE in a read-only transaction",
    });
    await pool.end();
  });

  test("leave nothing half-made when one fails", async () => {
    await database.pool.query("create table dialplan (somebody_elses int)");
    await expect(migrate(database.pool)).rejects.toThrow(/while applying migration 1: .*dialplan/);
    expect(await versions()).toEqual([]);
    const { rows } = await database.pool.query("select from information_schema.tables where table_name = 'pool'");
    expect(rows).toEqual([]);
  });

  test("wait for another process longer than a statement may take, and give the limit back", async () => {
    const pool = connect(database.url, silent, { max: 1, statementTimeoutMilliseconds: 200 });
    const holder = await database.pool.connect();
    await holder.query("select pg_advisory_lock(724601338)");
    const migrated = migrate(pool);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await holder.query("select pg_advisory_unlock(724601338)");
    holder.release();
    await migrated;
    await expect(pool.query("select pg_sleep(1)")).rejects.toMatchObject({ code: "57014" });
    await pool.end();
  });

  test("let everybody through who comes while a long reader is waited for, say whom they wait for, and succeed after it", { timeout: 30_000 }, async () => {
    await migrateUpTo(5);
    const reader = await database.pool.connect();
    await reader.query("begin");
    await reader.query("select from pool");
    const said: object[] = [];
    const logger = { ...silent, warn: (fields: object) => void said.push(fields) } as Logger;
    const migrated = migrate(database.pool, logger);
    let longest = 0;
    while (said.length < 1) {
      const from = performance.now();
      await database.pool.query("select from pool");
      longest = Math.max(longest, performance.now() - from);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // Claims are given up after 5 s.
    expect(longest).toBeLessThan(4_000);
    expect(said).toMatchObject([{ migration: 6, holders: [{ tables: ["pool"] }] }]);
    await reader.query("commit");
    reader.release();
    await migrated;
    expect(await versions()).toEqual(await released());
  });
});

/** As an earlier release left it. */
async function migrateUpTo(version: number): Promise<void> {
  await database.pool.query("create table migration (version int primary key, applied_at timestamptz not null default now())");
  for (let present = 1; present <= version; present += 1) {
    await database.pool.query(await readFile(join(import.meta.dirname, `../../../src/adapters/postgres/sql/00000${present}.sql`), "utf8"));
    await database.pool.query("insert into migration (version) values ($1::int)", [present]);
  }
}

describe("the watch on the schema", () => {
  const said = async (watch: SchemaWatch, reason: RegExp) => {
    await eventually("the schema is looked at", () => reason.test(watch.ready().reason), 3_000);
    return watch.ready().ready;
  };

  test("holds back who starts before the database is migrated, and nobody who was ready or is older than the schema", async () => {
    const watch = await watchSchema(database.pool, silent, 20);
    const newest = (await released()).length;
    expect(await said(watch, new RegExp(`^the database has schema 0, this release needs ${newest}: run dialplane migrate$`))).toBe(false);
    await migrate(database.pool);
    expect(await said(watch, new RegExp(`^schema ${newest}$`))).toBe(true);
    await database.pool.query("insert into migration (version) values (999)");
    expect(await said(watch, /has schema 999/)).toBe(true);
    const older = await watchSchema(database.pool, silent, 20);
    expect(await said(older, /has schema 999, this release was made for/)).toBe(true);
    await database.pool.query("delete from migration where version > 3");
    expect(await said(watch, /has schema 3, this release needs/)).toBe(true);
    await Promise.all([watch.stop(), older.stop()]);
  });

  test("warns once of a database that was never there", async () => {
    const nowhere = connect("postgres://u:p@127.0.0.1:1/db", silent);
    const logger = listeningLogger();
    const watch = await watchSchema(nowhere, logger, 20);
    await eventually("three looks", () => logger.said.length >= 3, 3_000);
    await watch.stop();
    await nowhere.end();
    expect(logger.said.slice(0, 3).map(({ level }) => level)).toEqual(["warn", "debug", "debug"]);
    expect(logger.said[0]).toMatchObject({ message: "the schema could not be looked at", fields: { error: expect.stringContaining("ECONNREFUSED") as string } });
  });
});
