import type pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connect } from "../../../src/adapters/postgres/connect.ts";
import { inTransaction } from "../../../src/adapters/postgres/transaction.ts";
import { silent } from "../../harness/logger.ts";
import { freshDatabase, type TestDatabase } from "../../harness/postgres.ts";

let database: TestDatabase;
let pool: pg.Pool;
beforeEach(async () => {
  database = await freshDatabase();
  pool = connect(database.url, silent, { max: 2 });
});
afterEach(async () => {
  await pool.end();
  await database.drop();
});

/** As when the server is killed. */
async function cutOff(client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  const ended = new Promise((resolve) => client.once("end", resolve));
  await database.pool.query("select pg_terminate_backend($1::int)", [rows[0]?.pid]);
  await ended;
}

describe("a transaction whose connection breaks", () => {
  it("between two statements is made once more on another connection, and nothing of the first stays", async () => {
    await database.pool.query("create table note (text text)");
    let attempts = 0;
    const answer = await inTransaction(pool, async (client) => {
      attempts += 1;
      await client.query("insert into note values ($1::text)", [`attempt ${attempts}`]);
      if (attempts === 1) await cutOff(client);
      return (await client.query<{ text: string }>("select text from note")).rows;
    });
    expect(answer).toEqual([{ text: "attempt 2" }]);
  });

  it("because this process was frozen for too long is made once more", async () => {
    const impatient = connect(database.url, silent, { max: 1, idleTransactionMilliseconds: 100 });
    let attempts = 0;
    const answer = await inTransaction(impatient, async (client) => {
      attempts += 1;
      // Nothing runs meanwhile, and what the server said is read after the next statement was sent.
      if (attempts === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
      return (await client.query<{ one: number }>("select 1 as one")).rows;
    });
    await impatient.end();
    expect({ answer, attempts }).toEqual({ answer: [{ one: 1 }], attempts: 2 });
  });

  it("again and again is told as an outage", async () => {
    const answer = inTransaction(pool, async (client) => {
      await cutOff(client);
      return client.query("select 1");
    });
    await expect(answer).rejects.toMatchObject({ code: "Unavailable" });
  });
});
