import type pg from "pg";
import { retrying } from "./retry.ts";

/** Either everything that `work` writes is durable, or nothing of it. */
export async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>, begin = "begin"): Promise<T> {
  return retrying(async () => {
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      await client.query(begin);
      const result = await work(client);
      await client.query("commit");
      return result;
    } catch (error) {
      await client.query("rollback").catch((failure: unknown) => (broken = failure instanceof Error ? failure : new Error("rollback failed")));
      throw error;
    } finally {
      client.release(broken);
    }
  });
}
