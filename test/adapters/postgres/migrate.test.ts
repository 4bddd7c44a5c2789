import { readdir } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { connect } from "../../../src/adapters/postgres/connect.ts";
import { migrate } from "../../../src/adapters/postgres/migrate.ts";
import { createLogger } from "../../../src/shared/logger.ts";
import { emptyDatabase, type TestDatabase } from "../../harness/postgres.ts";

let database: TestDatabase;
beforeEach(async () => (database = await emptyDatabase()));
afterEach(() => database.drop());

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
    const pools = Array.from({ length: 5 }, () => new pg.Pool({ connectionString: database.url, max: 1 }));
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

  test("leave nothing half-made when one fails", async () => {
    await database.pool.query("create table dialplan (somebody_elses int)");
    await expect(migrate(database.pool)).rejects.toThrow(/while applying migration 1: .*dialplan/);
    expect(await versions()).toEqual([]);
    const { rows } = await database.pool.query("select from information_schema.tables where table_name = 'pool'");
    expect(rows).toEqual([]);
  });

  test("wait for another process longer than a statement may take, and give the limit back", async () => {
    const pool = connect(database.url, createLogger("silent"), { max: 1, statementTimeoutMilliseconds: 200 });
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
});
