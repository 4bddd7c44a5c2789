import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type pg from "pg";
import { connect } from "../../../src/adapters/postgres/connect.ts";
import { lockWrites } from "../../../src/adapters/postgres/apply-lock.ts";
import { beginTerm, readTerm } from "../../../src/adapters/postgres/leadership.ts";
import { inTransaction } from "../../../src/adapters/postgres/transaction.ts";
import { startWire, type Wire } from "../../harness/kube-proxy.ts";
import { silent } from "../../harness/logger.ts";
import { freshDatabase, type TestDatabase } from "../../harness/postgres.ts";

const [STATEMENT_MS, SILENCE_MS] = [100, 2_100];

let database: TestDatabase;
let wire: Wire;
let pool: pg.Pool;
beforeEach(async () => {
  database = await freshDatabase();
  wire = await startWire(database.url);
  const url = new URL(database.url);
  url.port = new URL(wire.url).port;
  pool = connect(url.href, silent, { max: 1, statementTimeoutMilliseconds: STATEMENT_MS, givesUpSilence: true });
});
afterEach(async () => {
  // Ends what is frozen: nobody would take leave of it otherwise.
  await wire[Symbol.asyncDispose]();
  await pool.end();
  await database.drop();
});

/** As when a machine loses its power and another one takes over its address: nothing is told to those who were connected. */
function vanish(): void {
  wire.freeze();
  wire.thaw();
}

const one = () => pool.query<{ one: number }>("select 1 as one").then(({ rows }) => rows);

describe("a process that vanishes in the middle of a transaction", () => {
  it("holds up others for a while only: the next leader begins its term", async () => {
    const url = new URL(database.url);
    url.port = new URL(wire.url).port;
    const leading = connect(url.href, silent, { max: 1, idleTransactionMilliseconds: 500 });
    const { promise: lost, resolve: end } = Promise.withResolvers<undefined>();
    const { promise: isWriting, resolve: writes } = Promise.withResolvers<undefined>();
    const work = inTransaction(leading, async (client) => {
      await lockWrites(client);
      wire.freeze();
      writes(undefined);
      await lost;
      throw new Error("was not told");
    });
    await isWriting;
    try {
      await beginTerm(database.pool, { holder: "b", number: 2 });
    } finally {
      wire.reset();
      end(undefined);
      await expect(work).rejects.toThrow("was not told");
      await leading.end();
    }
    expect(await readTerm(database.pool)).toBe(2);
  }, 20_000);
});

describe("a database that vanishes without a word", () => {
  it("is given up after the limit, and the next statement has another connection", async () => {
    expect(await one()).toEqual([{ one: 1 }]);
    vanish();
    await expect(one()).rejects.toThrow("Query read timeout");
    expect(await one()).toEqual([{ one: 1 }]);
  });

  it("in a transaction is waited for once, not once more for the end of it", async () => {
    const begun = performance.now();
    const work = inTransaction(pool, async (client) => {
      vanish();
      await client.query("select 1");
    });
    await expect(work).rejects.toThrow("Query read timeout");
    expect(performance.now() - begun).toBeLessThan(2 * SILENCE_MS);
    expect(await one()).toEqual([{ one: 1 }]);
  });
});
