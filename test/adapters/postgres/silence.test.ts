import { once } from "node:events";
import { connect as openTcp, createServer, type AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type pg from "pg";
import { connect } from "../../../src/adapters/postgres/connect.ts";
import { listen } from "../../../src/adapters/postgres/listener.ts";
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
  pool = connect(throughWire(), silent, { max: 1, statementTimeoutMilliseconds: STATEMENT_MS, givesUpSilence: true });
});
afterEach(async () => {
  // Ends what is frozen: nobody would take leave of it otherwise.
  await wire[Symbol.asyncDispose]();
  await pool.end();
  await database.drop();
});

function throughWire(): string {
  return withPort(database.url, Number(new URL(wire.url).port));
}

function withPort(text: string, port: number): string {
  const url = new URL(text);
  url.port = String(port);
  return url.href;
}

/** A server whose first connection says nothing any more when it has been told that word. */
async function deafTo(word: string, target: string): Promise<{ readonly url: string; close(): Promise<unknown> }> {
  let isDeaf = false;
  const server = createServer((client) => {
    const upstream = openTcp({ host: "127.0.0.1", port: Number(new URL(target).port) });
    for (const [one, other] of [[client, upstream], [upstream, client]] as const) one.on("error", () => other.destroy()).on("close", () => other.destroy());
    upstream.pipe(client);
    client.on("data", (data) => {
      if (isDeaf || !data.includes(word)) upstream.write(data);
      else client.removeAllListeners("data").resume();
      isDeaf ||= data.includes(word);
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { url: withPort(target, (server.address() as AddressInfo).port), close: () => once(server.close(), "close") };
}

/** As when a machine loses its power and another one takes over its address: nothing is told to those who were connected. */
function vanish(): void {
  wire.freeze();
  wire.thaw();
}

const one = () => pool.query<{ one: number }>("select 1 as one").then(({ rows }) => rows);

describe("a process that vanishes in the middle of a transaction", () => {
  it("holds up others for a while only: the next leader begins its term", async () => {
    const leading = connect(throughWire(), silent, { max: 1, idleTransactionMilliseconds: 500 });
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

describe("listening to a database that falls silent", () => {
  const listening = (url: string, onConnected: () => void = () => undefined) => listen({ url, channel: "dialplane_pods", onNotification: () => undefined, onConnected, logger: silent });

  it("ends when it is told to: nobody takes leave", async () => {
    const stop = await listening(throughWire());
    vanish();
    expect(await Promise.race([stop().then(() => "ended"), sleep(5_000, "waits")])).toBe("ended");
  });

  it("as soon as it is connected is begun again", async () => {
    const deaf = await deafTo("listen ", database.url);
    const { promise: connected, resolve } = Promise.withResolvers<undefined>();
    const stop = await listening(deaf.url, () => resolve(undefined));
    await connected;
    await stop();
    await deaf.close();
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

  it("is noticed when a transaction begins, however long its statements may take", async () => {
    const patient = connect(throughWire(), silent, { max: 1 });
    const work = () => inTransaction(patient, async (client) => (await client.query<{ one: number }>("select 1 as one")).rows);
    expect(await work()).toEqual([{ one: 1 }]);
    vanish();
    await expect(work()).rejects.toThrow("Query read timeout");
    expect(await work()).toEqual([{ one: 1 }]);
    await patient.end();
  }, 20_000);
});
