import { messageOf } from "../domain/errors.ts";
import type { Clock, Logger, OperatorStore, PodReport, PoolTotals, ResourceSource, SourceProblem, TrunkSink } from "../domain/ports.ts";
import type { AnyResource } from "../domain/resources.ts";
import type { ResourceKey } from "../domain/types.ts";
import { compileWorld, type World } from "../domain/world.ts";
import { statusesOf, type ResourceStatus } from "../domain/statuses.ts";

export interface ReconcilerDependencies {
  readonly source: ResourceSource;
  readonly store: OperatorStore;
  readonly trunks: TrunkSink;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called after every look at the pods, with what changed nothing too: the sink writes only differences. */
  readonly onStatus: (statuses: readonly ResourceStatus[], problems: readonly SourceProblem[]) => void;
}

/** How often pods are asked what they run: one row a pod. */
const STATUS_INTERVAL_MILLISECONDS = 500;
/** Counting numbers reads every one of them (a second and more for a million): after each change, and otherwise this often. */
const TOTALS_INTERVAL_MILLISECONDS = 30_000;
const RETRY_MILLISECONDS = { first: 250, longest: 30_000 } as const;

interface Observed {
  readonly pods: readonly PodReport[];
  readonly totals: Readonly<Record<ResourceKey, PoolTotals>>;
}

/** Declared resources in, Postgres and trunks out. One pass at a time; changes during a pass cause one more. */
export class Reconciler {
  readonly #deps: ReconcilerDependencies;
  #previous: readonly ResourceStatus[] = [];
  #world: World | undefined;
  #resources: readonly AnyResource[] = [];
  #problems: readonly SourceProblem[] = [];
  #totals: Observed["totals"] | undefined;
  #totalsAt = 0;
  #observing: Promise<void> | undefined;
  #wanted = false;
  #running: Promise<void> | undefined;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #unwatch: (() => Promise<void>) | undefined;
  #stopped = false;

  constructor(deps: ReconcilerDependencies) {
    this.#deps = deps;
  }

  /** Watches, then makes the first pass; resolves after it, whether it succeeded or will be retried. */
  async start(): Promise<void> {
    this.#unwatch = await this.#deps.source.watch(() => void this.request());
    await this.request();
    this.#ticker = setInterval(() => void this.#observe(), STATUS_INTERVAL_MILLISECONDS);
  }

  /** Asks for a pass. Resolves when a pass that began after this call is done. */
  async request(): Promise<void> {
    if (this.#stopped) return;
    this.#wanted = true;
    this.#running ??= this.#loop().finally(() => (this.#running = undefined));
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#ticker);
    clearTimeout(this.#retry);
    await this.#unwatch?.();
    await this.#running;
    await this.#observing;
  }

  async #loop(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      try {
        await this.#pass();
        this.#failures = 0;
      } catch (error) {
        this.#retryLater(error);
      }
    }
  }

  async #pass(): Promise<void> {
    const declared = await this.#deps.source.read();
    const world = compileWorld(declared);
    // Trunks first: a dialplan must never name an endpoint that Asterisk does not have.
    await this.#deps.trunks.write(world.trunks);
    const { revision, changed } = await this.#deps.store.apply(world.desired);
    if (changed) this.#deps.logger.info({ revision, hash: world.desired.dialplan.hash.slice(0, 12) }, "resources applied");
    this.#world = world;
    this.#resources = declared.resources;
    this.#problems = declared.problems;
    if (changed) this.#totals = undefined;
    // A look that began before this pass may have counted what was there before it.
    await this.#observing;
    await this.#observe();
  }

  /** One look at a time: a database that hangs must not find a queue of them when it comes back. */
  #observe(): Promise<void> {
    this.#observing ??= this.#look().finally(() => (this.#observing = undefined));
    return this.#observing;
  }

  async #look(): Promise<void> {
    if (this.#world === undefined || this.#stopped) return;
    try {
      const pods = await this.#deps.store.pods();
      this.#report({ pods, totals: await this.#countedTotals() });
    } catch (error) {
      this.#deps.logger.warn({ error: messageOf(error) }, "cannot look at the pods");
    }
  }

  async #countedTotals(): Promise<Observed["totals"]> {
    const now = this.#deps.clock.now().getTime();
    if (this.#totals === undefined || now - this.#totalsAt >= TOTALS_INTERVAL_MILLISECONDS) {
      this.#totals = await this.#deps.store.totals();
      this.#totalsAt = now;
    }
    return this.#totals;
  }

  #report(observed: Observed): void {
    if (this.#world === undefined) return;
    this.#previous = statusesOf({ resources: this.#resources, world: this.#world, previous: this.#previous, now: this.#deps.clock.now(), ...observed });
    this.#deps.onStatus(this.#previous, this.#problems);
  }

  #retryLater(error: unknown): void {
    const delay = Math.min(RETRY_MILLISECONDS.first * 2 ** this.#failures, RETRY_MILLISECONDS.longest);
    this.#failures += 1;
    this.#deps.logger.error({ error: messageOf(error), retryMilliseconds: delay }, "cannot apply the resources; will retry");
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.request(), delay);
  }
}
