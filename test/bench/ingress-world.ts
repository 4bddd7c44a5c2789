import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";

import { connect } from "../../src/adapters/postgres/connect.ts";
import { migrate } from "../../src/adapters/postgres/migrate.ts";
import { createStores, type Stores } from "../../src/adapters/postgres/stores.ts";
import { createLogger } from "../../src/shared/logger.ts";
import { startPostgres } from "../../src/standalone/postgres-process.ts";
import { anAssignment, aPool, e164 } from "../domain/builders.ts";
import { eventually, startProcess } from "../harness/process.ts";

export const POOL = "bench/pool";
export const tokenKey = { id: 1, secret: "the-key-of-the-benches-has-32-characters-or-more" };
const NUMBERS = 10_000;

const logger = createLogger("warn");

/** A Postgres of its own and `dialplane ingress` as a process of its own, as in production but for the network. */
export interface IngressWorld {
  readonly url: string;
  readonly stores: Stores;
  /** Rows of one column. */
  count(sql: string): Promise<number>;
  /** Metrics of the ingress process, those without labels. Each call is one scrape, which begins a new measurement of the event loop. */
  metrics(): Promise<(name: string) => number>;
}

/** @param origin whose pages may ask for numbers of `POOL` */
export async function withIngress<T>(origin: string, use: (world: IngressWorld) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), "dialplane-bench-"));
  const postgres = await startPostgres({ dataDir, logger });
  const pool = connect(postgres.url, logger, { max: 4 });
  try {
    await migrate(pool);
    const stores = createStores(pool, postgres.url, logger);
    await declare(stores, origin);
    const ingress = await startIngress(postgres.url);
    try {
      return await use({
        url: ingress.url,
        stores,
        metrics: () => scrape(ingress.url),
        count: async (sql) => (await pool.query<{ count: string }>(sql)).rows.map(({ count }) => Number(count))[0] ?? Number.NaN,
      });
    } finally {
      await ingress.stop();
    }
  } finally {
    await pool.end();
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function declare(stores: Stores, origin: string): Promise<void> {
  const first = 4_915_110_000_000;
  const range = { from: e164(`+${first}`), to: e164(`+${first + NUMBERS - 1}`) };
  const entry = { ...aPool({ ranges: [range], assignment: anAssignment(), allowedOrigins: [origin] }, { key: POOL }), generation: 1, owned: [range] };
  await stores.operator.apply({ pools: [entry], rules: [], trunks: [], dialplan: () => ({ hash: "bench", marker: "none", content: "" }) });
}

async function startIngress(databaseUrl: string): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const program = startProcess([process.execPath, join(import.meta.dirname, "../../src/cli.ts"), "ingress"], {
    env: {
      ...process.env,
      DATABASE_URL: databaseUrl,
      DIALPLANE_TOKEN_KEYS: `${tokenKey.id}:${tokenKey.secret}`,
      DIALPLANE_HTTP_ADDRESS: "127.0.0.1",
      DIALPLANE_HTTP_PORT: "0",
      DIALPLANE_RATE_LIMIT_PER_SECOND: "0",
      DIALPLANE_NEW_VISITORS_PER_SECOND: "0",
    },
  });
  const port = await eventually("ingress is listening", () => /"port":(\d+)/.exec(program.output())?.[1], 30_000);
  return { url: `http://127.0.0.1:${port}`, stop: () => program.stop() };
}

async function scrape(url: string): Promise<(name: string) => number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return (name) => {
    const value = new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1];
    if (value === undefined) throw new Error(`there is no metric ${name}`);
    return Number(value);
  };
}

export function machine(): string {
  return `${cpus().length} x ${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}`;
}
