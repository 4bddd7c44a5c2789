import { randomBytes } from "node:crypto";
import pg from "pg";
import { ExpectedError, messageOf } from "../src/domain/errors.ts";
import type { Logger } from "../src/domain/ports.ts";

export interface ScratchDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

/** With DATABASE_URL: a database of the demo's own beside it, dropped in the end. Null without: then there is an embedded server. */
export async function scratchDatabase(url: string | undefined, logger: Logger): Promise<ScratchDatabase | null> {
  if (url === undefined || url === "") return null;
  const name = `dialplane_demo_${randomBytes(4).toString("hex")}`;
  await administer(url, `create database ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  logger.info({ database: name }, "created a database for the demo");
  return { url: own.href, drop: () => administer(url, `drop database if exists ${name} with (force)`) };
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    await client.query(statement);
  } catch (error) {
    throw new ExpectedError("Unavailable", `DATABASE_URL: ${messageOf(error)}`, { field: "DATABASE_URL" });
  } finally {
    await client.end().catch(() => undefined);
  }
}
