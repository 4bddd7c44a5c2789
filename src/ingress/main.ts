import { batchedClaims } from "../adapters/postgres/batched-claims.ts";
import { connect } from "../adapters/postgres/connect.ts";
import { purge } from "../adapters/postgres/retention.ts";
import { watchSchema } from "../adapters/postgres/schema-watch.ts";
import { createStores } from "../adapters/postgres/stores.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import { Health } from "../shared/health.ts";
import { createLogger } from "../shared/logger.ts";
import { createMetrics } from "../shared/metrics.ts";
import { Shutdown, terminationSignal } from "../shared/shutdown.ts";
import { mostUnderWay } from "./admission.ts";
import { createIngress } from "./app.ts";
import { readIngressConfig, type IngressConfig } from "./config.ts";
import { listen } from "./listen.ts";
import { watchPools } from "./pool-watch.ts";
import { startRetention } from "./retention.ts";

/** Waiting longer would only fill the queue; pages have given up by then. */
const statementTimeoutMilliseconds = 5_000;
/** Two statements at a time keep the database busy while answers are handed out; more would only share the same disk. */
const claimBatches = { maxBatch: 1_000, parallel: 2 };
const clock: Clock = { now: () => new Date() };

export interface RunningIngress {
  readonly port: number;
  /** Ends streams, answers what was accepted, then lets go of the database. Resolves with what went wrong. */
  stop(): Promise<readonly Error[]>;
}

/**
 * The program `dialplane ingress`. The database must be migrated (`dialplane migrate`).
 * @throws ConfigError when a variable is out of format; ExpectedError `PortInUse` or `PermissionDenied`; nothing is left running then.
 */
export async function startIngress(env: NodeJS.ProcessEnv): Promise<RunningIngress> {
  const config = readIngressConfig(env);
  const logger = createLogger(config.logLevel, { app: "ingress" });
  const shutdown = new Shutdown();
  try {
    const port = await start(config, logger, shutdown);
    logger.info({ address: config.host, port }, "ingress is listening");
    return { port, stop: () => shutdown.run() };
  } catch (error) {
    await shutdown.run();
    throw error;
  }
}

async function start(config: IngressConfig, logger: Logger, shutdown: Shutdown): Promise<number> {
  const database = connect(config.databaseUrl, logger, {
    max: config.databaseConnections,
    statementTimeoutMilliseconds,
    givesUpSilence: true,
    applicationName: "dialplane-ingress",
  });
  shutdown.add("the database pool", () => database.end());
  const stores = createStores(database, config.databaseUrl, logger);
  const watch = await watchPools(stores.router, logger, { pollSeconds: config.poolsPollSeconds });
  shutdown.add("the watch on pools", () => watch.stop());
  shutdown.add("retention", startRetention(() => purge(database, config.retentionDays), logger));
  const health = new Health();
  health.register("pools", watch.ready);
  const schema = await watchSchema(database, logger);
  shutdown.add("the watch on the schema", () => schema.stop());
  health.register("schema", schema.ready);
  const { prospects, presence, pushes, records } = stores;
  const { secrets, settings } = config;
  const claims = batchedClaims(stores.claims, { ...claimBatches, maxWaiting: mostUnderWay(settings.maxWaiting) });
  const ingress = await createIngress({ claims, prospects, presence, pushes, records, pools: watch.pools, secrets, clock, logger, metrics: createMetrics(), health, settings });
  shutdown.add("ingress", () => ingress.stop());
  const listening = await listen(ingress.app, config.host, config.port);
  // The last step added runs first: no new requests, and streams end at once so that waiting for requests under way ends too.
  shutdown.add("the HTTP server", async () => {
    const closed = listening.close(config.shutdownSeconds);
    ingress.endStreams();
    await closed;
  });
  return listening.port;
}

/** Runs until SIGTERM or SIGINT. Resolves with the exit code. */
export async function main(env: NodeJS.ProcessEnv): Promise<number> {
  const ingress = await startIngress(env);
  await terminationSignal();
  return (await ingress.stop()).length === 0 ? 0 : 1;
}
