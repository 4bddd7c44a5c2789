import { listenForHealth } from "../adapters/http/health-server.ts";
import { connect } from "../adapters/postgres/connect.ts";
import { watchSchema } from "../adapters/postgres/schema-watch.ts";
import { createStores } from "../adapters/postgres/stores.ts";
import { messageOf } from "../domain/errors.ts";
import type { Logger } from "../domain/ports.ts";
import { Health } from "../shared/health.ts";
import { collectSeldom } from "../shared/heap.ts";
import { createLogger } from "../shared/logger.ts";
import { createMetrics } from "../shared/metrics.ts";
import { Shutdown, terminationSignal } from "../shared/shutdown.ts";
import { readRouterConfig, type RouterEnvironment } from "./config.ts";
import { drainEndpoint } from "./drain-endpoint.ts";
import { startRouter } from "./router.ts";

/** `dialplane router`: runs until SIGTERM or SIGINT. @throws ConfigError and ExpectedError for what can't be used as it is; nothing is left running then */
export async function main(env: NodeJS.ProcessEnv): Promise<number> {
  const config = readRouterConfig(env);
  collectSeldom();
  const logger = createLogger(config.logLevel, { app: "router", pod: config.pod });
  const shutdown = new Shutdown();
  const stop = async () => {
    const errors = await shutdown.run();
    errors.forEach((error) => logger.error({ error: messageOf(error) }, "not stopped cleanly"));
    return errors;
  };
  try {
    await start(config, logger, shutdown);
  } catch (error) {
    await stop();
    throw error;
  }
  await terminationSignal();
  return (await stop()).length === 0 ? 0 : 1;
}

async function start(config: RouterEnvironment, logger: Logger, shutdown: Shutdown): Promise<void> {
  const registry = createMetrics();
  const pool = connect(config.databaseUrl, logger, { applicationName: "dialplane-router", givesUpSilence: true });
  shutdown.add("the database pool", () => pool.end());
  const router = startRouter(config, { store: createStores(pool, config.databaseUrl, logger).router, logger, clock: { now: () => new Date() }, registry });
  shutdown.add("the router", () => router.stop());
  const health = new Health();
  health.register("router", () => router.ready());
  const schema = await watchSchema(pool, logger);
  shutdown.add("the watch on the schema", () => schema.stop());
  health.register("schema", schema.ready);
  const close = await listenForHealth(config.healthPort, { health, registry, further: { "/drain": drainEndpoint(router.drain) } });
  shutdown.add("the health port", close);
}
