import { access, constants, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import express, { type RequestHandler } from "express";
import type pg from "pg";
import type { Registry } from "prom-client";
import { anyFreeTcpPort, assertCanListen } from "../adapters/asterisk-process/listen-check.ts";
import { locateAsterisk } from "../adapters/asterisk-process/locate.ts";
import { startAsterisk, type RunningAsterisk } from "../adapters/asterisk-process/start.ts";
import { IdentityRegister } from "../adapters/directory/identity.ts";
import { lastGoodIn } from "../adapters/directory/last-good.ts";
import { directorySource } from "../adapters/directory/source.ts";
import { loadSchemas } from "../adapters/manifest/load-schemas.ts";
import { readManifests } from "../adapters/manifest/read-manifests.ts";
import { batchedClaims } from "../adapters/postgres/batched-claims.ts";
import { connect } from "../adapters/postgres/connect.ts";
import { migrate } from "../adapters/postgres/migrate.ts";
import { readAssociations } from "../adapters/postgres/read-associations.ts";
import { purge } from "../adapters/postgres/retention.ts";
import { createStores, type Stores } from "../adapters/postgres/stores.ts";
import { folderTrunks } from "../adapters/asterisk-config/write-trunk-folder.ts";
import { ExpectedError, messageOf } from "../domain/errors.ts";
import type { Clock, Logger, SourceProblem } from "../domain/ports.ts";
import type { ResourceStatus } from "../domain/statuses.ts";
import type { E164 } from "../domain/types.ts";
import { mostUnderWay } from "../ingress/admission.ts";
import { createIngress, defaultSettings } from "../ingress/app.ts";
import { listen } from "../ingress/listen.ts";
import { watchPools } from "../ingress/pool-watch.ts";
import { problemHandler } from "../ingress/problem.ts";
import { startRetention } from "../ingress/retention.ts";
import { Reconciler } from "../operator/reconciler.ts";
import { startRouter, type Router } from "../router/router.ts";
import { Health } from "../shared/health.ts";
import { createMetrics } from "../shared/metrics.ts";
import { Shutdown } from "../shared/shutdown.ts";
import { localAccess, readApi, servesThisMachineAlone } from "./api.ts";
import type { StandaloneConfig } from "./config.ts";
import { keptSecret } from "./kept-secret.ts";
import { startPostgres } from "./postgres-process.ts";

export interface StandaloneOptions {
  readonly logger: Logger;
  /** PATH and ASTERISK_ROOT are read. */
  readonly env: NodeJS.ProcessEnv;
  /** Further pages of the same HTTP server (the demo's). */
  readonly pages?: RequestHandler;
}

/** Everything in one process. */
export interface Standalone {
  readonly url: string;
  readonly asterisk: RunningAsterisk;
  readonly router: Router;
  readonly resources: () => { readonly resources: readonly ResourceStatus[]; readonly problems: readonly SourceProblem[] };
  /** Resolves, with the reason, when a part that can't be done without has ended by itself. */
  readonly broken: Promise<string>;
  /** Ends calls, closes everything, leaves nothing running. */
  stop(): Promise<readonly Error[]>;
}

/** What is handed from one stage of the start to the next. */
interface Stage {
  readonly config: StandaloneConfig;
  readonly options: StandaloneOptions;
  readonly shutdown: Shutdown;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly health: Health;
}

/**
 * Starts Postgres, Asterisk, operator, router and ingress, in this order. When one of them can't be started, those before are stopped.
 * @throws ExpectedError PortInUse, PermissionDenied, MissingPart or InvalidInput, naming the variable or the part
 */
export async function startStandalone(config: StandaloneConfig, options: StandaloneOptions): Promise<Standalone> {
  const stage: Stage = {
    config,
    options,
    shutdown: new Shutdown(),
    clock: { now: () => new Date() },
    registry: createMetrics(),
    health: new Health(),
  };
  try {
    return await start(stage);
  } catch (error) {
    const failures = await stage.shutdown.run();
    for (const failure of failures) options.logger.warn({ error: messageOf(failure) }, "not stopped cleanly");
    throw error;
  }
}

async function start(stage: Stage): Promise<Standalone> {
  const { config, options, shutdown } = stage;
  await checkSurroundings(config);
  const location = await locateAsterisk(options.env);
  const database = await startDatabase(stage);
  const asterisk = await startAsterisk({
    location,
    dir: join(config.dataDir, "asterisk"),
    ...config.sip,
    httpPort: await anyFreeTcpPort(),
    rtp: config.rtp,
  });
  shutdown.add("Asterisk", () => asterisk.stop());
  const resources = await startOperator(stage, database.stores);
  const router = startRouterPart(stage, database.stores, asterisk);
  const url = await startWeb(stage, database, resources);
  const broken = Promise.race([asterisk.exited.then(() => "Asterisk ended"), database.exited.then(() => "Postgres ended")]);
  return { url, asterisk, router, resources, broken, stop: () => shutdown.run() };
}

/** Everything that can be known to fail before anything is started. */
async function checkSurroundings(config: StandaloneConfig): Promise<void> {
  await readdir(config.manifests).catch((error: unknown) => {
    throw new ExpectedError("InvalidInput", `DIALPLANE_MANIFESTS: must be a readable folder: ${messageOf(error)}`, { field: "DIALPLANE_MANIFESTS" });
  });
  try {
    await mkdir(config.dataDir, { recursive: true });
    await access(config.dataDir, constants.W_OK);
  } catch (error) {
    throw new ExpectedError("PermissionDenied", `DIALPLANE_DATA_DIR: must be a folder that can be written: ${messageOf(error)}`, { field: "DIALPLANE_DATA_DIR" });
  }
  await assertCanListen([{ transport: "tcp", address: config.httpAddress, port: config.httpPort, purpose: "HTTP" }]);
}

interface Database {
  readonly pool: pg.Pool;
  readonly stores: Stores;
  /** Never resolves for a database that is not ours. */
  readonly exited: Promise<unknown>;
}

async function startDatabase({ config, options, shutdown }: Stage): Promise<Database> {
  const { logger } = options;
  const own = config.databaseUrl === undefined ? await startPostgres({ dataDir: join(config.dataDir, "postgres"), logger }) : null;
  if (own !== null) shutdown.add("Postgres", () => own.stop());
  const url = own?.url ?? config.databaseUrl ?? "";
  const pool = connect(url, logger, { max: 20 });
  shutdown.add("the database connections", () => pool.end());
  await migrate(pool, logger);
  return { pool, stores: createStores(pool, url, logger), exited: own?.exited ?? new Promise(() => undefined) };
}

async function startOperator(stage: Stage, stores: Stores): Promise<Standalone["resources"]> {
  const { config, options, shutdown, clock, health } = stage;
  const logger = options.logger.child({ part: "operator" });
  const schemas = await loadSchemas();
  const identities = await IdentityRegister.open(join(config.dataDir, "identities.json"));
  const parse = (text: string, file: string) => readManifests(schemas, text, file);
  let seen: ReturnType<Standalone["resources"]> | null = null;
  const reconciler = new Reconciler({
    source: directorySource({ directory: config.manifests, parse, identities, lastGood: lastGoodIn(join(config.dataDir, "manifests")), clock, logger }),
    store: stores.operator,
    trunks: folderTrunks(trunksDir(config), logger),
    clock,
    logger,
    onStatus: (resources, problems) => (seen = { resources, problems }),
  });
  shutdown.add("the operator", () => reconciler.stop());
  await reconciler.start();
  health.register("operator", () => ({ ready: seen !== null, reason: seen === null ? "the resources were not applied yet" : "ok" }));
  return () => seen ?? { resources: [], problems: [] };
}

/** Where the operator leaves the trunks for the router; in a cluster it is a mounted Secret. */
function trunksDir(config: StandaloneConfig): string {
  return join(config.dataDir, "trunks");
}

/** The bearer token of the read API when none is configured. */
export function apiTokenFile(config: StandaloneConfig): string {
  return join(config.dataDir, "api-token");
}

const SPOOL_MAX_BYTES = 268_435_456;

function startRouterPart({ config, options, shutdown, clock, registry, health }: Stage, stores: Stores, asterisk: RunningAsterisk): Router {
  const logger = options.logger.child({ part: "router" });
  const router = startRouter(
    {
      pod: "standalone",
      ari: asterisk.ari,
      asteriskConfigDir: asterisk.configDir,
      trunksDir: trunksDir(config),
      lookUpTimeoutMs: 250,
      pollMs: 2_000,
      spool: { dir: join(config.dataDir, "spool"), maxBytes: SPOOL_MAX_BYTES },
    },
    { store: stores.router, logger, clock, registry },
  );
  shutdown.add("the router", () => router.stop());
  health.register("router", () => router.ready());
  return router;
}

/** HTTP is stopped first: whoever asks while the rest goes down gets no half answers. */
async function startWeb(stage: Stage, { pool, stores }: Database, resources: Standalone["resources"]): Promise<string> {
  const { config, options, shutdown, clock, registry, health } = stage;
  const logger = options.logger.child({ part: "ingress" });
  const pools = await watchPools(stores.router, logger, { pollSeconds: 2 });
  shutdown.add("the watch over pools", () => pools.stop());
  health.register("ingress", () => pools.ready());
  shutdown.add("retention", startRetention(() => purge(pool, config.retentionDays), logger));
  const secret = config.signingSecret ?? (await keptSecret(join(config.dataDir, "signing-secret")));
  const apiToken = config.apiToken ?? (await keptSecret(apiTokenFile(config)));
  const access = localAccess({ token: apiToken, isLocal: () => servesThisMachineAlone(resources().resources) });
  const ingress = await createIngress({
    claims: batchedClaims(stores.claims, { maxBatch: 500, parallel: 2, maxWaiting: mostUnderWay(defaultSettings.maxWaiting) }),
    prospects: stores.prospects,
    presence: stores.presence,
    pushes: stores.pushes,
    records: stores.records,
    access,
    pools: pools.pools,
    secrets: { tokenKeys: [{ id: 1, secret }], sites: config.sites, apiTokens: [apiToken] },
    clock,
    logger,
    metrics: registry,
    health,
    settings: { ...defaultSettings, ...config.limits },
  });
  const app = express().disable("x-powered-by");
  app.use(readApi({
    resources,
    associations: (did, limit) => readAssociations(pool, did as E164, limit),
  }, access));
  if (options.pages !== undefined) app.use(options.pages);
  app.use(ingress.app);
  app.use(problemHandler(logger));
  const server = await listen(app, config.httpAddress, config.httpPort);
  // Open streams would keep the server waiting: they are ended while it closes.
  shutdown.add("HTTP", async () => {
    const closed = server.close(2);
    await ingress.stop();
    await closed;
  });
  return `http://${config.httpAddress.includes(":") ? `[${config.httpAddress}]` : config.httpAddress}:${server.port}`;
}
