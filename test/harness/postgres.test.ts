import { expect, test } from "vitest";

import { emptyDatabase, freshDatabase } from "./postgres.ts";

const TABLES = "select table_name from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema')";

test("databases asked for at once are all migrated and share nothing", async () => {
  const databases = await Promise.all([freshDatabase(), freshDatabase(), freshDatabase()]);
  const [first, second] = databases;
  await first.pool.query("create table only_here (n int)");
  expect((await first.pool.query(TABLES)).rows.length).toBeGreaterThan(1);
  expect((await second.pool.query(TABLES)).rows).not.toContainEqual({ table_name: "only_here" });
  await Promise.all(databases.map((database) => database.drop()));
});

test("an empty database has no table, and a dropped one is gone", async () => {
  const empty = await emptyDatabase();
  expect((await empty.pool.query(TABLES)).rows).toEqual([]);
  const other = await emptyDatabase();
  const name = new URL(empty.url).pathname.slice(1);
  await empty.drop();
  expect((await other.pool.query("select 1 from pg_database where datname = $1::text", [name])).rows).toEqual([]);
  await other.drop();
});
