import type pg from "pg";
import { needsAnotherConnection, retrying } from "./retry.ts";

/**
 * Nothing is waited for by what begins a transaction: a connection on which that is not answered is gone, however long the statements after it may
 * take. The driver's name of it.
 */
const BEGUN_WITHIN = { query_timeout: 10_000 };

/** Either everything that `work` writes is durable, or nothing of it. */
export async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>, begin = "begin"): Promise<T> {
  return retrying(async () => {
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      await client.query({ text: begin, ...BEGUN_WITHIN });
      const result = await work(client);
      await client.query("commit");
      return result;
    } catch (error) {
      broken = needsAnotherConnection(error) ? error : await rolledBack(client);
      throw error;
    } finally {
      client.release(broken);
    }
  });
}

/** @returns why the connection can't be used again */
async function rolledBack(client: pg.PoolClient): Promise<Error | undefined> {
  try {
    await client.query("rollback");
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error("rollback failed");
  }
}
