import { randomUUID } from "node:crypto";
import type pg from "pg";
import { afterEach, describe, expect, it } from "vitest";
import { claimNumbers } from "../../../src/adapters/postgres/claim-numbers.ts";
import { connect } from "../../../src/adapters/postgres/connect.ts";
import { beginTerm, readTerm } from "../../../src/adapters/postgres/leadership.ts";
import { isDatabaseOutage, isFaultOfOneItem } from "../../../src/adapters/postgres/retry.ts";
import { readTotals } from "../../../src/adapters/postgres/totals.ts";
import { silent } from "../../harness/logger.ts";
import { aDesiredPool, aRequest, eachWithWorld } from "./world.ts";

const world = eachWithWorld();
let pool: pg.Pool;
afterEach(() => pool.end());

/** As while a failover is under way: whoever connects now reaches a stand-by, and stays connected to it. */
async function throughStandBy<T>(work: () => Promise<T>): Promise<T> {
  await readOnly("on");
  pool = connect(world.database.url, silent, { max: 1 });
  await pool.query("select 1");
  try {
    return await work();
  } finally {
    await readOnly("off");
  }
}

const readOnly = (value: "on" | "off") => world.rows(`alter database ${new URL(world.database.url).pathname.slice(1)} set default_transaction_read_only = ${value}`);

const reasonOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => null, (reason: unknown) => reason);

describe("a database that can only be read", () => {
  it("is an outage, whether it was asked once or several times; all of a batch would fail the same", async () => {
    const [once, often] = await throughStandBy(() => Promise.all([reasonOf(readTotals(pool)), reasonOf(claimNumbers(pool, [aRequest(randomUUID())]))]));
    expect(isDatabaseOutage(once)).toBe(true);
    expect(often).toMatchObject({ code: "Unavailable" });
    expect(isFaultOfOneItem(often)).toBe(false);
  });

  it("is given up with its connection: the next transaction finds the one that can be written to", async () => {
    const term = { holder: "a", number: 1 };
    await throughStandBy(() => expect(beginTerm(pool, term)).rejects.toThrow());
    await beginTerm(pool, term);
    expect(await readTerm(pool)).toBe(1);
  });

  it("is not noticed when the failover ends while it is asked again", async () => {
    await world.apply(aDesiredPool());
    await throughStandBy(() => Promise.resolve());
    const [result] = await claimNumbers(pool, [aRequest(randomUUID())]);
    expect(result).toMatchObject({ status: "assigned" });
  });
});
