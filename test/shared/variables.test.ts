import { describe, expect, it } from "vitest";
import { databaseUrl } from "../../src/shared/variables.ts";

describe("DATABASE_URL", () => {
  it.each([
    "postgres://dialplane:password@localhost:5432/dialplane",
    "postgresql://u:p%40ss@db.example/d?sslmode=require",
    "postgres://u:p@[::1]:5432/d",
    "postgres://u:p@%2Fvar%2Frun%2Fpostgresql/d",
    "postgres:///d?user=u&host=/var/run/postgresql",
  ])("may be %s", (url) => {
    expect(databaseUrl.safeParse(url).success).toBe(true);
  });

  it.each([
    ["has several hosts without ports", "postgres://u:p@a,b/db"],
    ["has several hosts with ports", "postgres://u:p@a:5432,b:5432/db"],
    ["has several hosts beside", "postgres:///db?host=a,b"],
    ["has no host", "postgres:///db"],
    ["has no database", "postgres://u:p@a"],
    ["has no name of a database", "postgres://u:p@a/"],
    ["has nothing", "postgres://"],
    ["is of another kind", "mysql://u:p@a/db"],
    ["has a # in its password", "postgres://u:p#ss@a/db"],
  ])("is refused when it %s", (_, url) => {
    expect(databaseUrl.safeParse(url).error?.issues[0]?.message).toMatch(/^must be postgres:\/\/user:password@host:port\/database with one host/);
  });
});
