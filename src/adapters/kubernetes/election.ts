import { messageOf } from "../../domain/errors.ts";
import type { Clock, Logger } from "../../domain/ports.ts";
import { pause } from "../../shared/backoff.ts";
import { isConflict, isNotFound } from "./kube-error.ts";
import { microTime, type LeaseClient, type LeaseRecord, type StoredLease } from "./lease.ts";

/** Proves to a third party (Postgres) which leader is the later one. */
export interface FencingToken {
  readonly holder: string;
  /** Grows with every term; a write under a smaller number comes from a deposed leader. */
  readonly transitions: number;
}

export interface ElectorOptions {
  readonly lease: LeaseClient;
  /** Of this process and no other one: a pod's name together with something random. */
  readonly identity: string;
  readonly logger: Logger;
  /** For the times that people read in the Lease. Decisions use only this process's monotonic clock. */
  readonly clock: Clock;
  /** Called with the lease held. `signal` ends with the term. What it throws ends the term as well. */
  readonly onStartedLeading: (token: FencingToken, signal: AbortSignal) => void | Promise<void>;
  /** Called before anybody else can take the lease. The next term begins only after what it answers. */
  readonly onStoppedLeading: (reason: string) => void | Promise<void>;
  readonly leaseDurationSeconds?: number;
  readonly renewDeadlineSeconds?: number;
  readonly retryPeriodSeconds?: number;
  /**
   * The least number that the next term may have. Needed when the Lease was deleted and counts from 0 again:
   * answer one more than the largest ever used.
   */
  readonly leastTransitions?: () => Promise<number>;
  /** Milliseconds that only grow. */
  readonly monotonic?: () => number;
  readonly random?: () => number;
}

interface Term {
  readonly token: FencingToken;
  readonly ends: AbortController;
}

interface Observed {
  readonly lease: StoredLease;
  /** When this process first saw this record, by its own monotonic clock. */
  readonly at: number;
}

/**
 * Leader election by a Lease, as client-go does it (k8s.io/client-go/tools/leaderelection): who sees a record unchanged for its
 * whole duration, by the own clock, may take it. So clocks may differ; only their speed must be alike.
 */
export class Elector {
  readonly #options: Required<Omit<ElectorOptions, "leastTransitions">> & Pick<ElectorOptions, "leastTransitions">;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #observed: Observed | undefined;
  #term: Term | undefined;
  #deadline = 0;
  #deadlineTimer: NodeJS.Timeout | undefined;
  #stopped: Promise<void> = Promise.resolve();

  /** @throws RangeError unless leaseDuration > renewDeadline > retryPeriod > 0 */
  constructor(options: ElectorOptions) {
    const defaults = { leaseDurationSeconds: 15, renewDeadlineSeconds: 10, retryPeriodSeconds: 2, monotonic: () => performance.now(), random: Math.random };
    this.#options = { ...defaults, ...options };
    const { leaseDurationSeconds, renewDeadlineSeconds, retryPeriodSeconds } = this.#options;
    const ordered = leaseDurationSeconds > renewDeadlineSeconds && renewDeadlineSeconds > retryPeriodSeconds && retryPeriodSeconds > 0;
    if (!ordered || !Number.isInteger(leaseDurationSeconds)) {
      throw new RangeError("leaseDurationSeconds must be a whole number larger than renewDeadlineSeconds, and that larger than retryPeriodSeconds");
    }
  }

  /** Also false when the deadline passed while this process stood still and its timers did not run. */
  get isLeader(): boolean {
    return this.#term !== undefined && this.#options.monotonic() < this.#deadline;
  }

  /** Who leads, as far as can be seen; null when nobody does, or when whoever did was not heard of for the lease's whole duration. */
  get leader(): string | null {
    const record = this.#observed?.lease.record;
    return record === undefined || this.#isOver(record) ? null : record.holderIdentity;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the term, waits for `onStoppedLeading`, then gives the lease away so that the next one need not wait. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#endTerm("stopped");
    await this.#stopped;
    await this.#release();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#stopped;
      await this.#attempt();
      const { retryPeriodSeconds, random } = this.#options;
      // Candidates that started together must not try together; a leader renews on time.
      const stretch = this.#term === undefined ? 1 + random() / 2 : 1;
      await pause(retryPeriodSeconds * 1_000 * stretch, this.#stop.signal);
    }
  }

  async #attempt(): Promise<void> {
    try {
      const writtenAt = this.#term === undefined ? await this.#acquire() : await this.#renew(this.#term);
      if (writtenAt !== null) this.#held(writtenAt);
    } catch (error) {
      const lostRace = isConflict(error) || isNotFound(error);
      this.#options.logger[lostRace ? "debug" : "warn"]({ error: messageOf(error), leading: this.#term !== undefined }, "lease not written");
      if (lostRace) await this.#look().catch(() => undefined);
    }
  }

  /** When the lease was written; null when the term ended meanwhile: then only a new term may lead. */
  async #renew(term: Term): Promise<number | null> {
    const lease = this.#observed?.lease;
    if (lease === undefined) return null;
    const writtenAt = await this.#write(() => this.#options.lease.update(lease, this.#renewal(lease.record), this.#timeoutMs()));
    return this.#term === term ? writtenAt : null;
  }

  /** When the lease was taken; null while it is another's. */
  async #acquire(): Promise<number | null> {
    const current = await this.#look();
    if (current !== null && !this.#mayTake(current)) return null;
    const least = (await this.#options.leastTransitions?.()) ?? 0;
    // Of a Lease that was deleted, what this process knew of it counts on.
    const known = (current ?? this.#observed?.lease)?.record.leaseTransitions;
    const record = this.#newTerm(Math.max(known === undefined ? 0 : known + 1, least));
    const { lease } = this.#options;
    return this.#write(() => (current === null ? lease.create(record, this.#timeoutMs()) : lease.update(current, record, this.#timeoutMs())));
  }

  /** The time is that before the request: whoever sees the write sees it later. */
  async #write(write: () => Promise<StoredLease>): Promise<number> {
    const startedAt = this.#options.monotonic();
    this.#observe(await write());
    return startedAt;
  }

  async #look(): Promise<StoredLease | null> {
    const current = await this.#options.lease.read(this.#timeoutMs());
    if (current !== null) this.#observe(current);
    const holder = current?.record.holderIdentity;
    if (this.#term !== undefined && holder !== this.#options.identity) this.#endTerm(`the lease is held by ${holder || "nobody"}`);
    return current;
  }

  #mayTake({ record }: StoredLease): boolean {
    // Or it was taken by a request whose answer was lost.
    return record.holderIdentity === this.#options.identity || this.#isOver(record);
  }

  /** @param record the one that was observed last */
  #isOver({ holderIdentity, leaseDurationSeconds }: LeaseRecord): boolean {
    const longest = Math.max(leaseDurationSeconds, this.#options.leaseDurationSeconds) * 1_000;
    const seenFor = this.#options.monotonic() - (this.#observed?.at ?? Infinity);
    return holderIdentity === "" || seenFor >= longest;
  }

  #newTerm(leaseTransitions: number): LeaseRecord {
    const { identity, leaseDurationSeconds, clock } = this.#options;
    const now = microTime(clock.now());
    return { holderIdentity: identity, leaseDurationSeconds, acquireTime: now, renewTime: now, leaseTransitions };
  }

  #renewal(record: LeaseRecord): LeaseRecord {
    return { ...record, renewTime: microTime(this.#options.clock.now()) };
  }

  #observe(lease: StoredLease): void {
    const before = this.#observed?.lease.record;
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(lease.record)) {
      this.#observed = { lease, at: this.#observed?.at ?? 0 };
      return;
    }
    this.#observed = { lease, at: this.#options.monotonic() };
    const { holderIdentity } = lease.record;
    if (holderIdentity !== "" && holderIdentity !== before?.holderIdentity) {
      this.#options.logger.info({ leader: holderIdentity, transitions: lease.record.leaseTransitions }, "leader known");
    }
  }

  #held(writtenAt: number): void {
    this.#deadline = writtenAt + this.#options.renewDeadlineSeconds * 1_000;
    clearTimeout(this.#deadlineTimer);
    this.#deadlineTimer = setTimeout(() => this.#endTerm("the lease could not be renewed in time"), this.#deadline - this.#options.monotonic());
    if (this.#term === undefined && !this.#stop.signal.aborted) this.#beginTerm();
  }

  #beginTerm(): void {
    const { identity, onStartedLeading, logger } = this.#options;
    const token = { holder: identity, transitions: this.#observed?.lease.record.leaseTransitions ?? 0 };
    const term = { token, ends: new AbortController() };
    this.#term = term;
    logger.info({ transitions: token.transitions }, "leading");
    void (async () => onStartedLeading(token, term.ends.signal))().catch((error: unknown) => {
      if (this.#term === term) this.#endTerm(`leading failed: ${messageOf(error)}`);
    });
  }

  #endTerm(reason: string): void {
    clearTimeout(this.#deadlineTimer);
    const term = this.#term;
    if (term === undefined) return;
    this.#term = undefined;
    const { onStoppedLeading, logger } = this.#options;
    logger.info({ transitions: term.token.transitions, reason }, "no longer leading");
    term.ends.abort();
    this.#stopped = (async () => onStoppedLeading(reason))().catch((error: unknown) => {
      logger.error({ error: messageOf(error) }, "stopping to lead failed");
    });
  }

  async #release(): Promise<void> {
    clearTimeout(this.#deadlineTimer);
    const lease = this.#observed?.lease;
    if (lease?.record.holderIdentity !== this.#options.identity) return;
    try {
      await this.#options.lease.update(lease, { ...this.#renewal(lease.record), holderIdentity: "", leaseDurationSeconds: 1 }, this.#timeoutMs());
    } catch (error) {
      // It ends by itself.
      this.#options.logger.debug({ error: messageOf(error) }, "lease not released");
    }
  }

  /** A request that hangs must leave time for another try before the deadline. */
  #timeoutMs(): number {
    return (this.#options.renewDeadlineSeconds * 1_000) / 2;
  }
}
