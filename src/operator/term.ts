import type pg from "pg";
import type { KubeClient } from "../adapters/kubernetes/client.ts";
import type { EventRecorder } from "../adapters/kubernetes/events.ts";
import { StatusWriter } from "../adapters/kubernetes/status.ts";
import { assertTerm, beginTerm } from "../adapters/postgres/leadership.ts";
import { operatorStore } from "../adapters/postgres/stores.ts";
import { ExpectedError, messageOf } from "../domain/errors.ts";
import type { Clock, Logger, Term, TrunkSink } from "../domain/ports.ts";
import type { AnyResource } from "../domain/resources.ts";
import type { ResourceStatus } from "../domain/statuses.ts";
import { backoffMs, pause } from "../shared/backoff.ts";
import { isRecord } from "../shared/json.ts";
import { FIELD_MANAGER } from "./names.ts";
import type { KubernetesSource } from "./kubernetes-source.ts";
import type { OperatorMetrics } from "./metrics.ts";
import { PoolFinalizers } from "./pool-finalizers.ts";
import { Reconciler } from "./reconciler.ts";
import { conditionsOf, StatusPublisher } from "./status-publisher.ts";

export interface TermDependencies {
  readonly client: KubeClient;
  readonly source: KubernetesSource;
  readonly pool: pg.Pool;
  /** For what is read now and then, and for terms: gives up a database that vanished. */
  readonly looks: pg.Pool;
  /** Of `pool`. */
  readonly databaseUrl: string;
  /** One that does not rely on what an earlier term wrote, and asks before it writes. */
  readonly newTrunks: (mayWrite: () => Promise<void>) => TrunkSink;
  readonly events: Pick<EventRecorder, "record">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: OperatorMetrics;
  readonly noticeAfterMs: number;
}

export interface RunningTerm {
  /**
   * Rejects with `StaleRevision` when the database knows of another term: a later one, or after it was restored an earlier one. Nothing can be
   * written any more then, until a new term is begun.
   */
  readonly overruled: Promise<undefined>;
  stop(): Promise<void>;
}

const RETRY = { firstMs: 250, longestMs: 10_000 } as const;

/**
 * What a leader does, from the start of its term until `signal`. Postgres is told of the term first, and refuses everything of an
 * earlier one from then on; everything written elsewhere is asked for before: is the term still ours?
 * @throws ExpectedError `StaleRevision` when a later term was there already
 */
export async function startTerm(deps: TermDependencies, term: Term, isLeader: () => boolean, signal: AbortSignal): Promise<RunningTerm | null> {
  const { client, source, pool, looks, clock, logger, metrics } = deps;
  if (!(await announced(looks, term, logger, signal))) return null;
  const finalizers = new PoolFinalizers({ client, source, isLeader, logger, metrics: metrics.queue("finalizers") });
  const writer = new StatusWriter({ client, fieldManager: FIELD_MANAGER });
  const publisher = new StatusPublisher({ source, writer, events: deps.events, isLeader, clock, logger, metrics: metrics.queue("statuses"), noticeAfterMs: deps.noticeAfterMs });
  const unobserve = metrics.observe(() => publisher.observed());
  const overruled = Promise.withResolvers<undefined>();
  const reconciler = new Reconciler({
    source,
    store: operatorStore({ pool, url: deps.databaseUrl, logger }, term, looks),
    // A Secret knows no terms: the database is asked right before.
    trunks: deps.newTrunks(() => assertTerm(looks, term)),
    clock,
    logger,
    onStatus: (statuses) => publisher.publish(statuses),
    onCleaned: (pools) => finalizers.cleaned(pools),
    onOverruled: (error) => overruled.reject(error),
    recorded: (resource) => recordedStatus(source, resource),
    metrics: metrics.reconciler,
  });
  void reconciler.start().catch((error: unknown) => logger.error({ error: messageOf(error) }, "the reconciler could not be started"));
  return {
    overruled: overruled.promise,
    stop: async () => {
      unobserve();
      overruled.resolve(undefined);
      await reconciler.stop();
      await Promise.all([finalizers.stop(), publisher.stop()]);
    },
  };
}

/** A database that is away is waited for as long as the term lasts. */
async function announced(looks: pg.Pool, term: Term, logger: Logger, signal: AbortSignal): Promise<boolean> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      await beginTerm(looks, term);
      return true;
    } catch (error) {
      if (error instanceof ExpectedError && error.code === "StaleRevision") throw error;
      logger.warn({ error: messageOf(error), failures }, "the database can't be told of the term; will retry");
      await pause(backoffMs(RETRY, failures), signal);
    }
  }
  return false;
}

/** A new leader goes on with the transition times of the one before. */
function recordedStatus(source: KubernetesSource, resource: AnyResource): ResourceStatus | undefined {
  const object = source.get(resource.metadata.uid)?.object;
  if (object === undefined || !isRecord(object["status"])) return undefined;
  return { ...resource, status: { ...object["status"], conditions: conditionsOf(object) } };
}
