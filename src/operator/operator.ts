import { randomBytes } from "node:crypto";
import type { KubeConfig } from "@kubernetes/client-node";
import { listenForHealth } from "../adapters/http/health-server.ts";
import type { KubeClient } from "../adapters/kubernetes/client.ts";
import { Elector } from "../adapters/kubernetes/election.ts";
import { EventRecorder } from "../adapters/kubernetes/events.ts";
import { KINDS, TYPES } from "../adapters/kubernetes/kinds.ts";
import { leaseClient } from "../adapters/kubernetes/lease.ts";
import { OperatorBase, type ResourceEvent } from "../adapters/kubernetes/operator-base.ts";
import { trunkSecret } from "../adapters/kubernetes/trunk-secret.ts";
import { loadSchemas } from "../adapters/manifest/load-schemas.ts";
import { connect } from "../adapters/postgres/connect.ts";
import { readTerm } from "../adapters/postgres/leadership.ts";
import { watchSchema } from "../adapters/postgres/schema-watch.ts";
import { messageOf } from "../domain/errors.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import type { ResourceKind } from "../domain/resources.ts";
import { Health } from "../shared/health.ts";
import { createMetrics } from "../shared/metrics.ts";
import { Shutdown } from "../shared/shutdown.ts";
import type { OperatorConfig } from "./config.ts";
import { CONTROLLER, FIELD_MANAGER } from "./names.ts";
import { KubernetesSource } from "./kubernetes-source.ts";
import { leanObjects } from "./lean-objects.ts";
import { operatorMetrics } from "./metrics.ts";
import { startTerm, type RunningTerm, type TermDependencies } from "./term.ts";

export interface OperatorOptions {
  readonly kubeConfig: KubeConfig;
  /** Of `kubeConfig` unless given; closed with the operator. */
  readonly client?: KubeClient;
  readonly logger: Logger;
  /** How long trouble lasts before an Event tells of it. */
  readonly noticeAfterMs?: number;
}

const NOTICE_AFTER_MILLISECONDS = 3_000;

/** The operator, reading and electing. What was started for one that could not be is stopped. */
export async function startOperator(config: OperatorConfig, options: OperatorOptions): Promise<DialplaneOperator> {
  const operator = new DialplaneOperator(config, options);
  try {
    await operator.start();
    return operator;
  } catch (error) {
    for (const failure of await operator.ended()) options.logger.warn({ error: messageOf(failure) }, "not stopped cleanly");
    throw error;
  }
}

/** Reads from its start on, so that it can take over at once; writes only while it leads. */
export class DialplaneOperator extends OperatorBase {
  readonly #config: OperatorConfig;
  readonly #options: OperatorOptions;
  readonly #shutdown = new Shutdown();

  constructor(config: OperatorConfig, options: OperatorOptions) {
    super({ ...options, reflector: { transform: leanObjects() } });
    this.#config = config;
    this.#options = options;
    this.#shutdown.add("the watches and the connections to the API server", () => super.stopped());
  }

  override async stopped(): Promise<void> {
    await this.ended();
  }

  /** Stops working, then gives the leadership away; resolves with what went wrong meanwhile. */
  ended(): Promise<readonly Error[]> {
    return this.#shutdown.run();
  }

  protected override async init(): Promise<void> {
    const { client } = this;
    const [config, { logger, noticeAfterMs = NOTICE_AFTER_MILLISECONDS }, shutdown] = [this.#config, this.#options, this.#shutdown];
    const clock: Clock = { now: () => new Date() };
    const registry = createMetrics();
    const health = new Health();
    const pool = connect(config.databaseUrl, logger, { applicationName: "dialplane-operator", max: 4 });
    shutdown.add("the database connections", () => pool.end());
    const looks = connect(config.databaseUrl, logger, { applicationName: "dialplane-operator", max: 2, givesUpSilence: true });
    shutdown.add("the database connections for looking", () => looks.end());
    const source = new KubernetesSource({ client, logger, schemas: await loadSchemas(), hasSynced: () => this.hasSynced });
    shutdown.add("the copies of the resources", () => source.stop());
    const events = new EventRecorder({ client, clock, logger, controller: CONTROLLER, instance: config.podName });
    shutdown.add("the events", () => events.stop());
    const metrics = operatorMetrics(registry, () => this.watchStates());
    const { namespace } = config;
    const newTrunks = (mayWrite: () => Promise<void>) => {
      return trunkSecret({ client, namespace, name: config.trunksSecret, fieldManager: FIELD_MANAGER, mayWrite, now: () => clock.now().getTime() });
    };
    const elector = electorOf(config, { client, source, pool, looks, databaseUrl: config.databaseUrl, newTrunks, events, clock, logger, metrics, noticeAfterMs });
    shutdown.add("leading", () => elector.stop());
    health.register("resources", () => ({ ready: source.ready, reason: source.ready ? "ok" : "not everything was read from the API server yet" }));
    health.register("election", () => ({ ready: elector.leader !== null, reason: elector.leader === null ? "nobody leads" : `${elector.leader} leads` }));
    const schema = await watchSchema(looks, logger);
    shutdown.add("the watch on the schema", () => schema.stop());
    health.register("schema", schema.ready);
    for (const kind of KINDS) await this.#follow(kind, source, config.watchNamespaces);
    void this.synced().then(() => source.look());
    shutdown.add("the health port", await listenForHealth(config.healthPort, { health, registry }));
    elector.start();
  }

  async #follow(kind: ResourceKind, source: KubernetesSource, namespaces: readonly string[]): Promise<void> {
    const { group, version, plural } = TYPES[kind];
    const take = (event: ResourceEvent) => {
      source.take(kind, event);
      return Promise.resolve();
    };
    for (const namespace of namespaces.length === 0 ? [undefined] : namespaces) await this.watchResource(group, version, plural, take, namespace);
  }
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
    leastTransitions: async () => ((await readTerm(deps.looks)) ?? -1) + 1,
    onStartedLeading: async ({ holder, transitions }, signal) => {
      deps.metrics.leader.set(1);
      running = startTerm(deps, { holder, number: transitions }, () => elector.isLeader, signal);
      await (await running)?.overruled;
    },
    onStoppedLeading: async () => {
      deps.metrics.leader.set(0);
      await (await running.catch(() => null))?.stop();
    },
  });
  return elector;
}
