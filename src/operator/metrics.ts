import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { KINDS, TYPES } from "../adapters/kubernetes/kinds.ts";
import type { WorkQueueMetrics } from "../adapters/kubernetes/work-queue.ts";
import type { ReflectorState } from "../adapters/kubernetes/reflector.ts";
import type { ResourceKind } from "../domain/resources.ts";
import type { ResourceStatus } from "../domain/statuses.ts";
import type { ReconcilerMetrics } from "./reconciler.ts";

export interface OperatorMetrics {
  readonly leader: Gauge;
  readonly reconciler: ReconcilerMetrics;
  /** Where statuses are looked up when somebody scrapes; the answer ends it. */
  observe(observed: Observed): () => void;
  queue(name: "statuses" | "finalizers"): WorkQueueMetrics;
}

/** An object as it was last said to be. */
export interface ObservedObject {
  readonly kind: ResourceKind;
  readonly namespace: string;
  readonly name: string;
  readonly status: ResourceStatus["status"];
}

export type Observed = () => Iterable<ObservedObject>;

export type WatchStates = () => readonly { readonly plural: string; readonly objects: number; readonly state: ReflectorState }[];

/** Names and labels are an interface: dashboards and alerts read them. */
export function operatorMetrics(registry: Registry, watches: WatchStates): OperatorMetrics {
  const registers = [registry];
  const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
  const pass = new Histogram({ name: "dialplane_operator_reconcile_seconds", help: "Passes over what is declared, by outcome: changed, unchanged or failed", labelNames: ["outcome"], buckets, registers });
  const depth = new Gauge({ name: "dialplane_operator_queue_depth", help: "Objects that wait for a worker, of the queue statuses or finalizers", labelNames: ["queue"], registers });
  const waited = new Histogram({ name: "dialplane_operator_queue_wait_seconds", help: "From being queued to a worker", labelNames: ["queue"], buckets, registers });
  const handled = new Histogram({ name: "dialplane_operator_work_seconds", help: "Work on one object, by outcome: success or failure", labelNames: ["queue", "outcome"], buckets, registers });
  const retries = new Counter({ name: "dialplane_operator_retries_total", help: "Work that failed and is tried again", labelNames: ["queue"], registers });
  watchGauges(registry, watches);
  let observed: Observed = NONE;
  objectGauges(registry, () => observed());
  return {
    observe: (look) => {
      observed = look;
      return () => (observed = NONE);
    },
    leader: new Gauge({ name: "dialplane_operator_leader", help: "1 in the operator that leads", registers }),
    reconciler: { pass: (seconds, outcome) => pass.observe({ outcome }, seconds) },
    queue: (queue) => ({
      depth: (keys) => depth.set({ queue }, keys),
      waited: (ms) => waited.observe({ queue }, ms / 1_000),
      handled: (ms, outcome) => handled.observe({ queue, outcome }, ms / 1_000),
      retried: () => retries.inc({ queue }),
    }),
  };
}

/** Asked when somebody scrapes. */
function watchGauges(registry: Registry, watches: WatchStates): void {
  // A kind has a watch for each namespace where not all of them are watched.
  const byKind = () => KINDS.map((kind) => ({ kind, of: watches().filter(({ plural }) => plural === TYPES[kind].plural) }));
  const labelNames = ["kind"] as const;
  new Gauge({
    ...{ name: "dialplane_operator_objects", help: "Objects known, by kind", labelNames, registers: [registry] },
    collect() {
      for (const { kind, of } of byKind()) this.set({ kind }, of.reduce((sum, { objects }) => sum + objects, 0));
    },
  });
  new Gauge({
    ...{ name: "dialplane_operator_watch_failures", help: "Failures in a row of the watch over a kind; 0 while it works", labelNames, registers: [registry] },
    collect() {
      for (const { kind, of } of byKind()) this.set({ kind }, Math.max(0, ...of.map(({ state }) => state.failures)));
    },
  });
}

const NONE: Observed = () => [];
const POOL_STATES = ["leased", "coolingDown", "available"] as const;

/** Of the leader only, out of what it has in memory: nobody's scrape counts a million numbers. */
function objectGauges(registry: Registry, observed: Observed): void {
  const registers = [registry];
  const states = "leased, coolingDown and available add up to the pool's numbers in service; counted at most every 30 seconds; of the leader only";
  new Gauge({
    ...{ name: "dialplane_pool_numbers", help: `Numbers of a pool, by state: ${states}`, labelNames: ["namespace", "pool", "state"] as const, registers },
    collect() {
      this.reset();
      for (const { namespace, name, status } of observed()) {
        const numbers = "numbers" in status ? status.numbers : undefined;
        if (numbers !== undefined) for (const state of POOL_STATES) this.set({ namespace, pool: name, state }, numbers[state]);
      }
    },
  });
  // Not one series an object: while a pod starts, something is not True of each of ten thousand.
  const help = "Objects of which a condition is not True, by its reason; kubectl says which they are; of the leader only";
  new Gauge({
    ...{ name: "dialplane_conditions", help, labelNames: ["kind", "namespace", "type", "status", "reason"] as const, registers },
    collect() {
      this.reset();
      for (const { kind, namespace, status: { conditions } } of observed()) {
        for (const { type, status, reason } of conditions) if (status !== "True") this.inc({ kind, namespace, type, status, reason });
      }
    },
  });
}
