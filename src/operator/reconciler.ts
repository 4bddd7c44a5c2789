import { ExpectedError, messageOf } from "../domain/errors.ts";
import type { AppliedState, LeavingPool, OperatorStore, ResourceSource, TrunkSink } from "../domain/ports.ts";
import type { WrittenState } from "../domain/statuses.ts";
import { WorldCompiler, type World } from "../domain/world.ts";
import { doubledMs } from "../shared/backoff.ts";
import { CleanUp } from "./clean-up.ts";
import { Observer, type ObserverDependencies } from "./observer.ts";

export interface ReconcilerDependencies extends ObserverDependencies {
  readonly source: ResourceSource;
  readonly store: OperatorStore;
  readonly trunks: TrunkSink;
  /** Nothing of these pools is in force any more, and of those with reclaimPolicy Delete the history is deleted. */
  readonly onCleaned?: (pools: readonly LeavingPool[]) => void;
  /** The database refused a write, because the term is over. */
  readonly onOverruled?: (error: ExpectedError) => void;
  readonly metrics?: ReconcilerMetrics;
}

/** Called as things happen; cheap. */
export interface ReconcilerMetrics {
  pass(seconds: number, outcome: "unchanged" | "changed" | "failed"): void;
}

/** Between two passes because of leases that end. */
const RETIREMENT_MILLISECONDS = 10_000;
/** Until trunks that were refused are tried again: a right may be given at any time, and nobody tells. */
const REFUSED_SECONDS = 10;
/** Without a change: what somebody else deleted or a restored database has lost comes back by itself. A pass that finds nothing takes milliseconds. */
const AGAIN_MILLISECONDS = 300_000;
const RETRY = { firstMs: 250, longestMs: 30_000 } as const;

/** Declared resources in, Postgres and trunks out. One pass at a time; changes during a pass cause one more. */
export class Reconciler {
  readonly #deps: ReconcilerDependencies;
  readonly #compiler = new WorldCompiler();
  readonly #observer: Observer;
  readonly #cleanUp: CleanUp;
  #applied: AppliedState | undefined;
  /** Counts those of the database: see WrittenState. */
  #history = 0;
  #wanted = false;
  #running: Promise<void> | undefined;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #unwatch: (() => Promise<void>) | undefined;
  #stopped = false;
  readonly #stopping = Promise.withResolvers<undefined>();

  constructor(deps: ReconcilerDependencies) {
    this.#deps = deps;
    this.#observer = new Observer(deps);
    const { store, logger, onCleaned } = deps;
    this.#cleanUp = new CleanUp({ store, logger, ...(onCleaned === undefined ? {} : { onCleaned }) });
  }

  /** Watches, then makes the first pass; resolves after it, whether it succeeded or will be retried. A stop meanwhile leaves nothing behind. */
  async start(): Promise<void> {
    this.#unwatch = await this.#deps.source.watch(() => void this.request());
    await this.request();
    await this.#observer.start();
    if (this.#stopped) await this.#unwatch();
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
    clearTimeout(this.#retry);
    clearTimeout(this.#again);
    await this.#unwatch?.();
    // Nothing is said any more, not even by a pass that is under way.
    await Promise.all([this.#running, this.#observer.stop()]);
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
    this.#passAgain(trunks.trunks === null ? Math.min(retiresInSeconds ?? Infinity, REFUSED_SECONDS) : retiresInSeconds);
    this.#cleanUp.request(declared.leaving ?? []);
    const written = { dialplan, routing: revision, history: this.#history, ...trunks };
    await this.#observer.passed({ declared, world, written }, changed ? { before: before?.desired.pools, after: world.desired.pools } : null);
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
