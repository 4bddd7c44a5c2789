import { randomBytes } from "node:crypto";
import { KubeConfig } from "@kubernetes/client-node";
import { listenForHealth } from "../adapters/http/health-server.ts";
import { createKubeClient, type KubeClient } from "../adapters/kubernetes/client.ts";
import { Elector } from "../adapters/kubernetes/election.ts";
import { EventRecorder } from "../adapters/kubernetes/events.ts";
import { leaseClient } from "../adapters/kubernetes/lease.ts";
import { trunkSecret } from "../adapters/kubernetes/trunk-secret.ts";
import { loadSchemas } from "../adapters/manifest/load-schemas.ts";
import { connect } from "../adapters/postgres/connect.ts";
import { readTerm } from "../adapters/postgres/leadership.ts";
import { ExpectedError, messageOf } from "../domain/errors.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import { Health } from "../shared/health.ts";
import { createLogger } from "../shared/logger.ts";
import { createMetrics } from "../shared/metrics.ts";
import { Shutdown } from "../shared/shutdown.ts";
import { operatorConfig, type OperatorConfig } from "./config.ts";
import { CONTROLLER, FIELD_MANAGER } from "./kinds.ts";
import { KubernetesSource } from "./kubernetes-source.ts";
import { operatorMetrics } from "./metrics.ts";
import { startTerm, type RunningTerm, type TermDependencies } from "./term.ts";

/** `dialplane operator`: runs until SIGTERM or SIGINT. @throws ConfigError and ExpectedError for what can't be used as it is */
export async function main(env: NodeJS.ProcessEnv): Promise<number> {
  const config = operatorConfig(env);
  const logger = createLogger(config.logLevel, { app: "operator", pod: config.podName });
  const operator = await startOperator(config, { client: createKubeClient(kubeConfigOf(config), logger), logger });
  await new Promise<void>((resolve) => {
    process.once("SIGTERM", () => resolve());
    process.once("SIGINT", () => resolve());
  });
  const errors = await operator.stop();
  for (const error of errors) logger.error({ error: messageOf(error) }, "not stopped cleanly");
  return errors.length === 0 ? 0 : 1;
}

/** @throws ExpectedError InvalidInput */
function kubeConfigOf({ kubeconfig }: OperatorConfig): KubeConfig {
  const read = new KubeConfig();
  try {
    if (kubeconfig === undefined) read.loadFromDefault();
    else read.loadFromFile(kubeconfig);
  } catch (error) {
    throw new ExpectedError("InvalidInput", `KUBECONFIG: must be a kubeconfig that can be read: ${messageOf(error)}`, { field: "KUBECONFIG", cause: error });
  }
  return read;
}

export interface Operator {
  readonly isLeader: boolean;
  /** Stops working, then gives the leadership away. */
  stop(): Promise<readonly Error[]>;
}

export interface OperatorOptions {
  /** Closed with the operator. */
  readonly client: KubeClient;
  readonly logger: Logger;
  /** How long trouble lasts before an Event tells of it. */
  readonly noticeAfterMs?: number;
}

const NOTICE_AFTER_MILLISECONDS = 3_000;

/** Reads from its start on, so that it can take over at once; writes only while it leads. */
export async function startOperator(config: OperatorConfig, options: OperatorOptions): Promise<Operator> {
  const shutdown = new Shutdown();
  try {
    return await start(config, options, shutdown);
  } catch (error) {
    for (const failure of await shutdown.run()) options.logger.warn({ error: messageOf(failure) }, "not stopped cleanly");
    throw error;
  }
}

async function start(config: OperatorConfig, { client, logger, noticeAfterMs = NOTICE_AFTER_MILLISECONDS }: OperatorOptions, shutdown: Shutdown): Promise<Operator> {
  const clock: Clock = { now: () => new Date() };
  const registry = createMetrics();
  const health = new Health();
  shutdown.add("the connections to the API server", () => client.close());
  const pool = connect(config.databaseUrl, logger, { applicationName: "dialplane-operator", max: 4 });
  shutdown.add("the database connections", () => pool.end());
  const source = new KubernetesSource({ client, logger, schemas: await loadSchemas() });
  shutdown.add("the watches", () => source.stop());
  const events = new EventRecorder({ client, clock, logger, controller: CONTROLLER, instance: config.podName });
  shutdown.add("the events", () => events.stop());
  const metrics = operatorMetrics(registry, source);
  const { namespace } = config;
  const newTrunks = (mayWrite: () => Promise<void>) => {
    return trunkSecret({ client, namespace, name: config.trunksSecret, fieldManager: FIELD_MANAGER, mayWrite, now: () => clock.now().getTime() });
  };
  const elector = electorOf(config, { client, source, pool, databaseUrl: config.databaseUrl, newTrunks, events, clock, logger, metrics, noticeAfterMs });
  shutdown.add("leading", () => elector.stop());
  health.register("resources", () => ({ ready: source.ready, reason: source.ready ? "ok" : "not everything was read from the API server yet" }));
  health.register("election", () => ({ ready: elector.leader !== null, reason: elector.leader === null ? "nobody leads" : `${elector.leader} leads` }));
  shutdown.add("the health port", await listenForHealth(config.healthPort, { health, registry }));
  source.start();
  elector.start();
  return {
    get isLeader() {
      return elector.isLeader;
    },
    stop: () => shutdown.run(),
  };
}

/** One term after the other; what a term started is stopped before the next one begins. */
function electorOf(config: OperatorConfig, deps: TermDependencies): Elector {
  const { leaseSeconds, namespace, leaseName: name } = config;
  let running: Promise<RunningTerm | null> = Promise.resolve(null);
  const elector = new Elector({
    lease: leaseClient(deps.client, { namespace, name }),
    identity: `${config.podName}_${randomBytes(4).toString("hex")}`,
    logger: deps.logger,
    clock: deps.clock,
    leaseDurationSeconds: leaseSeconds,
    renewDeadlineSeconds: (leaseSeconds * 2) / 3,
    retryPeriodSeconds: leaseSeconds / 6,
    leastTransitions: async () => ((await readTerm(deps.pool)) ?? -1) + 1,
    onStartedLeading: async ({ holder, transitions }, signal) => {
      deps.metrics.leader.set(1);
      running = startTerm(deps, { holder, number: transitions }, () => elector.isLeader, signal);
      await running;
    },
    onStoppedLeading: async () => {
      deps.metrics.leader.set(0);
      await (await running.catch(() => null))?.stop();
    },
  });
  return elector;
}
