import { ExpectedError, messageOf } from "../domain/errors.ts";
import type { AppliedState, Clock, Declared, DesiredState, LeavingPool, Logger, OperatorStore, PodReport, PoolTotals, ResourceSource, SourceProblem, TrunkSink } from "../domain/ports.ts";
import type { AnyResource } from "../domain/resources.ts";
import { Statuses, type ResourceStatus, type WrittenState } from "../domain/statuses.ts";
import type { ResourceKey } from "../domain/types.ts";
import { WorldCompiler, type World } from "../domain/world.ts";
import { doubledMs } from "../shared/backoff.ts";
import { CleanUp } from "./clean-up.ts";

export interface ReconcilerDependencies {
  readonly source: ResourceSource;
  readonly store: OperatorStore;
  readonly trunks: TrunkSink;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when the status of an object or a problem of the source may have changed; what did not change is the same object as before. */
  readonly onStatus: (statuses: readonly ResourceStatus[], problems: readonly SourceProblem[]) => void;
  /** Nothing of these pools is in force any more, and of those with reclaimPolicy Delete the history is deleted. */
  readonly onCleaned?: (pools: readonly LeavingPool[]) => void;
  /** The database refused a write, because the term is over. */
  readonly onOverruled?: (error: ExpectedError) => void;
  /** What was said of an object before this process saw it. */
  readonly recorded?: (resource: AnyResource) => ResourceStatus | undefined;
  readonly metrics?: ReconcilerMetrics;
}

/** Called as things happen; cheap. */
export interface ReconcilerMetrics {
  pass(seconds: number, outcome: "unchanged" | "changed" | "failed"): void;
}

/** How often pods are asked what they run: one row a pod. */
const STATUS_INTERVAL_MILLISECONDS = 500;
/** Counting all numbers reads every one of them (a second and more for a million); those of pools that changed are counted at once. */
const TOTALS_INTERVAL_MILLISECONDS = 30_000;
/** Between two passes because of leases that end. */
const RETIREMENT_MILLISECONDS = 10_000;
/** Until trunks that were refused are tried again: a right may be given at any time, and nobody tells. */
const REFUSED_SECONDS = 10;
/** Without a change: what somebody else deleted or a restored database has lost comes back by itself. A pass that finds nothing takes milliseconds. */
const AGAIN_MILLISECONDS = 300_000;
const RETRY = { firstMs: 250, longestMs: 30_000 } as const;

type Totals = Readonly<Record<ResourceKey, PoolTotals>>;

/** Declared resources in, Postgres and trunks out. One pass at a time; changes during a pass cause one more. */
export class Reconciler {
  readonly #deps: ReconcilerDependencies;
  readonly #compiler = new WorldCompiler();
  readonly #statuses: Statuses;
  readonly #cleanUp: CleanUp;
  #applied: AppliedState | undefined;
  #written: WrittenState | undefined;
  /** Counts those of the database: see WrittenState. */
  #history = 0;
  #world: World | undefined;
  #declared: Declared = { resources: [], credentials: new Map(), problems: [] };
  #totals: Totals = {};
  /** 0: to be counted anew. */
  #totalsAt = 0;
  /** What the pods said at the last report. */
  #reported = "";
  /** World or numbers are others since then. */
  #isStale = false;
  #observing: Promise<void> | undefined;
  #wanted = false;
  #running: Promise<void> | undefined;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #unwatch: (() => Promise<void>) | undefined;
  #unlisten: (() => Promise<void>) | undefined;
  #stopped = false;
  readonly #stopping = Promise.withResolvers<undefined>();

  constructor(deps: ReconcilerDependencies) {
    this.#deps = deps;
    this.#statuses = new Statuses(deps.recorded);
    const { store, logger, onCleaned } = deps;
    this.#cleanUp = new CleanUp({ store, logger, ...(onCleaned === undefined ? {} : { onCleaned }) });
  }

  /** Watches, then makes the first pass; resolves after it, whether it succeeded or will be retried. A stop meanwhile leaves nothing behind. */
  async start(): Promise<void> {
    this.#unwatch = await this.#deps.source.watch(() => void this.request());
    await this.request();
    // What a pod reports shows at once.
    this.#unlisten = await this.#deps.store.onPods(() => void (this.#observing ?? Promise.resolve()).then(() => this.#observe()));
    if (this.#stopped) {
      await this.#unwatch();
      await this.#unlisten();
      return;
    }
    this.#ticker = setInterval(() => void this.#observe(), STATUS_INTERVAL_MILLISECONDS);
  }

  /** Asks for a pass. Resolves when a pass that began after this call is done. */
  async request(): Promise<void> {
    if (this.#stopped) return;
    this.#wanted = true;
    this.#running ??= this.#loop().finally(() => {
      this.#running = undefined;
      // Asked for at the moment when the loop had just looked for the last time.
      if (this.#wanted) void this.request();
    });
    await this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopping.resolve(undefined);
    clearInterval(this.#ticker);
    clearTimeout(this.#retry);
    clearTimeout(this.#again);
    await this.#unwatch?.();
    await this.#unlisten?.();
    await this.#running;
    await this.#observing;
    await this.#cleanUp.stop();
  }

  async #loop(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      const startedAt = performance.now();
      let outcome: Parameters<ReconcilerMetrics["pass"]>[1] = "failed";
      try {
        outcome = (await this.#pass()) ? "changed" : "unchanged";
        this.#failures = 0;
      } catch (error) {
        this.#retryLater(error);
      }
      this.#deps.metrics?.pass((performance.now() - startedAt) / 1_000, outcome);
    }
  }

  /** Whether anything was written. */
  async #pass(): Promise<boolean> {
    // What is waited for there may never come, and must not keep a term from ending.
    const declared = await Promise.race([this.#deps.source.read(), this.#stopping.promise]);
    if (declared === undefined || this.#stopped) return false;
    const world = this.#compiler.compile(declared);
    // Trunks first: a dialplan must never name an endpoint that Asterisk does not have.
    const trunks = await this.#writeTrunks(world);
    const before = this.#applied;
    const { revision, mark, changed, continues, dialplan, retiresInSeconds } = await this.#deps.store.apply(world.desired, before);
    if (!continues) this.#beginHistory(revision);
    if (changed) this.#deps.logger.info({ revision, hash: dialplan.slice(0, 12) }, "resources applied");
    this.#applied = { revision, mark, desired: world.desired, dialplan };
    this.#written = { dialplan, routing: revision, history: this.#history, ...trunks };
    this.#passAgain(trunks.trunks === null ? Math.min(retiresInSeconds ?? Infinity, REFUSED_SECONDS) : retiresInSeconds);
    this.#world = world;
    this.#declared = declared;
    this.#isStale = true;
    this.#cleanUp.request(declared.leaving ?? []);
    // A look that began before this pass may have counted what was there before it.
    await this.#observing;
    if (changed) await this.#recount(before?.desired.pools, world.desired.pools);
    await this.#observe();
    return changed;
  }

  #beginHistory(revision: number): void {
    this.#history += 1;
    this.#deps.logger.warn({ revision }, "the database has lost revisions: it was restored, or a copy took over that lacked the last ones; everything was compared again");
  }

  /** Trunks that can't be written at all are said in their conditions, and keep nothing else from being applied. */
  async #writeTrunks(world: World): Promise<Pick<WrittenState, "trunks" | "trunksError">> {
    try {
      const { revision } = await this.#deps.trunks.write(world.trunks);
      return { trunks: revision, trunksError: null };
    } catch (error) {
      if (!(error instanceof ExpectedError) || !["InvalidInput", "Forbidden"].includes(error.code)) throw error;
      this.#deps.logger.error({ error: messageOf(error) }, "the trunks can't be brought to the pods, which keep those that they have");
      return { trunks: null, trunksError: messageOf(error) };
    }
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
  #observe(): Promise<void> {
    this.#observing ??= this.#look().finally(() => (this.#observing = undefined));
    return this.#observing;
  }

  async #look(): Promise<void> {
    if (this.#world === undefined || this.#stopped) return;
    try {
      const pods = await this.#deps.store.pods();
      await this.#count();
      this.#report(pods);
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
  #report(pods: readonly PodReport[]): void {
    if (this.#world === undefined) return;
    const seen = JSON.stringify(pods.map(({ pod, running, error, routing, trunks }) => [pod, running, error, routing, trunks]));
    if (seen === this.#reported && !this.#isStale) return;
    this.#reported = seen;
    this.#isStale = false;
    const { resources, problems } = this.#declared;
    this.#deps.onStatus(this.#statuses.observe({ resources, world: this.#world, pods, ...this.#writtenState(), totals: this.#totals, now: this.#deps.clock.now() }), problems);
  }

  #writtenState(): { readonly written?: WrittenState } {
    return this.#written === undefined ? {} : { written: this.#written };
  }

  /**
   * @param seconds until a pass is due without a change (a lease ends, refused trunks are tried again); at least 10 s apart, so that
   * pods do not reload for each. null: 5 min, which is also the most
   */
  #passAgain(seconds: number | null): void {
    clearTimeout(this.#again);
    if (this.#stopped) return;
    const delay = seconds === null ? AGAIN_MILLISECONDS : Math.min(Math.max(seconds * 1_000, RETIREMENT_MILLISECONDS), AGAIN_MILLISECONDS);
    this.#again = setTimeout(() => void this.request(), delay);
  }

  #retryLater(error: unknown): void {
    this.#failures += 1;
    const delay = doubledMs(RETRY, this.#failures);
    this.#deps.logger.error({ error: messageOf(error), retryMilliseconds: delay }, "cannot apply the resources; will retry");
    if (error instanceof ExpectedError && error.code === "StaleRevision") this.#deps.onOverruled?.(error);
    clearTimeout(this.#retry);
    if (this.#stopped) return;
    this.#retry = setTimeout(() => void this.request(), delay);
  }
}
