import { messageOf } from "../domain/errors.ts";
import type { Clock, Declared, DesiredState, Logger, OperatorStore, PodReport, PoolTotals, SourceProblem } from "../domain/ports.ts";
import type { AnyResource } from "../domain/resources.ts";
import { Statuses, type ResourceStatus, type WrittenState } from "../domain/statuses.ts";
import type { ResourceKey } from "../domain/types.ts";
import type { World } from "../domain/world.ts";

export interface ObserverDependencies {
  readonly store: Pick<OperatorStore, "pods" | "totals" | "onPods">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when the status of an object or a problem of the source may have changed; what did not change is the same object as before. */
  readonly onStatus: (statuses: readonly ResourceStatus[], problems: readonly SourceProblem[]) => void;
  /** What was said of an object before this process saw it. */
  readonly recorded?: (resource: AnyResource) => ResourceStatus | undefined;
}

/** What a pass of the reconciler has put in force. */
export interface InForce {
  readonly declared: Declared;
  readonly world: World;
  readonly written: WrittenState;
}

/** How often pods are asked what they run: one row a pod. */
const LOOK_MILLISECONDS = 500;
/** Counting all numbers reads every one of them (a second and more for a million); those of pools that changed are counted at once. */
const TOTALS_INTERVAL_MILLISECONDS = 30_000;

/** Looks at what the pods run and how many numbers are lent, and says what that makes of each declared object. */
export class Observer {
  readonly #deps: ObserverDependencies;
  readonly #statuses: Statuses;
  #inForce: InForce | undefined;
  #totals: Readonly<Record<ResourceKey, PoolTotals>> = {};
  /** 0: to be counted anew. */
  #totalsAt = 0;
  /** What the pods said at the last report. */
  #reported = "";
  /** What is in force, or the numbers, are others since then. */
  #isStale = false;
  #looking: Promise<void> | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #unlisten: (() => Promise<void>) | undefined;
  #stopped = false;

  constructor(deps: ObserverDependencies) {
    this.#deps = deps;
    this.#statuses = new Statuses(deps.recorded);
  }

  /** Looks now and then, and when a pod reports. A stop meanwhile leaves nothing behind. */
  async start(): Promise<void> {
    const unlisten = await this.#deps.store.onPods(() => void (this.#looking ?? Promise.resolve()).then(() => this.#look()));
    if (this.#stopped) {
      await unlisten();
      return;
    }
    this.#unlisten = unlisten;
    this.#ticker = setInterval(() => void this.#look(), LOOK_MILLISECONDS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#ticker);
    await this.#unlisten?.();
    await this.#looking;
  }

  /**
   * Looks at what a pass has put in force.
   *
   * @param changed pools before and after; null when nothing was written. Before the first pass it isn't known which differ
   */
  async passed(inForce: InForce, changed: { readonly before: DesiredState["pools"] | undefined; readonly after: DesiredState["pools"] } | null): Promise<void> {
    this.#inForce = inForce;
    this.#isStale = true;
    // A look that began before this pass may have counted what was there before it.
    await this.#looking;
    if (changed !== null) await this.#recount(changed.before, changed.after);
    await this.#look();
  }

  /** Numbers of pools that changed; those of all with the next look, when it isn't known which did. */
  async #recount(before: DesiredState["pools"] | undefined, after: DesiredState["pools"]): Promise<void> {
    if (before === undefined) this.#totalsAt = 0;
    if (before === undefined || before === after) return;
    const unchanged = new Set(before);
    const keys = after.filter((pool) => !unchanged.has(pool)).map((pool) => pool.key);
    this.#totals = { ...this.#totals, ...(await this.#deps.store.totals(keys)) };
    // A look by the clock may have told of the world meanwhile, with the numbers of before.
    this.#isStale = true;
  }

  /** One look at a time: a database that hangs must not find a queue of them when it comes back. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    if (this.#inForce === undefined || this.#stopped) return;
    try {
      const pods = await this.#deps.store.pods();
      await this.#count();
      this.#report(this.#inForce, pods);
    } catch (error) {
      this.#deps.logger.warn({ error: messageOf(error) }, "cannot look at the pods");
    }
  }

  async #count(): Promise<void> {
    const now = this.#deps.clock.now().getTime();
    if (now - this.#totalsAt < TOTALS_INTERVAL_MILLISECONDS) return;
    this.#totals = await this.#deps.store.totals();
    this.#totalsAt = now;
    this.#isStale = true;
  }

  /** Nothing new since the last look: nothing to work out. */
  #report({ declared: { resources, problems }, world, written }: InForce, pods: readonly PodReport[]): void {
    const seen = JSON.stringify(pods.map(({ pod, running, error, routing, trunks }) => [pod, running, error, routing, trunks]));
    if (seen === this.#reported && !this.#isStale) return;
    this.#reported = seen;
    this.#isStale = false;
    this.#deps.onStatus(this.#statuses.observe({ resources, world, pods, written, totals: this.#totals, now: this.#deps.clock.now() }), problems);
  }
}
