import type { Registry } from "prom-client";

import { createAriClientTransport } from "../adapters/ari/ari-client.ts";
import { type AriConnection, createAriClient } from "../adapters/ari/client.ts";
import type { AriEvent } from "../adapters/ari/events.ts";
import { createAriHttp } from "../adapters/ari/http.ts";
import { createTelephony, type Telephony } from "../adapters/ari/telephony.ts";
import { type RoutingWatch, watchRouting } from "../adapters/postgres/routing-watch.ts";
import { STASIS_APP } from "../domain/asterisk-names.ts";
import type { CallCommand } from "../domain/call/commands.ts";
import { isRinging } from "../domain/call/legs.ts";
import type { Call } from "../domain/call/states.ts";
import { ExpectedError, messageOf } from "../domain/errors.ts";
import type { Clock, Logger, RouterStore, TrunkEntry } from "../domain/ports.ts";
import { CAUSE } from "../domain/q850.ts";
import type { Attempt } from "../domain/types.ts";
import { pause } from "../shared/backoff.ts";
import type { Repeated } from "../shared/repeat.ts";
import { createAriEvents } from "./ari-events.ts";
import { type Audit, startAudit } from "./audit.ts";
import { Calls } from "./calls.ts";
import { Claims } from "./claims.ts";
import type { RouterConfig } from "./config.ts";
import { createDrain, type Drain } from "./drain.ts";
import { handOver } from "./hand-over.ts";
import { originOf, prepare, takeCall } from "./inbound.ts";
import { Limits } from "./limits.ts";
import { InTime } from "./in-time.ts";
import { createLaterLookUp, createLookUp } from "./lookup.ts";
import { type RouterMetrics, routerMetrics } from "./metrics.ts";
import { Offers } from "./offers.ts";
import { originationOf } from "./outgoing.ts";
import { startLostCalls } from "./lost-calls.ts";
import { perform } from "./perform.ts";
import { diskJournal, noJournal } from "./record-journal.ts";
import { type RecordSink, SpooledRecordSink } from "./record-sink.ts";
import { type Found, recover } from "./recover.ts";
import { Recovery, type RecoveryDeps } from "./recovery.ts";
import { type ServedCalls, startServedCalls } from "./served-calls.ts";
import { countStrangers } from "./strangers.ts";
import { settleRecords } from "./settle.ts";
import { createTurns } from "./turns.ts";
import { startPodRollout, type PodRollout } from "./pod-rollout.ts";
import { type CallLanes, createCallLanes } from "./call-lanes.ts";

export interface RouterDeps {
  readonly store: RouterStore;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly registry: Registry;
}

export interface Router {
  ready(): { readonly ready: boolean; readonly reason: string };
  liveCalls(): number;
  readonly drain: Drain;
  /** Gives callers who wait to the default destination, leaves other calls to Asterisk, writes the records that wait (5 s at most) and closes everything. */
  stop(): Promise<void>;
}

const RECORDS_AT_STOP_MS = 5_000;
/** A list of thousands of channels on a busy machine. */
const LISTS_MS = 20_000;
const RECOVER_AGAIN_MS = 1_000;
/** About 200 records: what a killed router may write once more. */
const SPOOL_FILE_BYTES = 262_144;
const SPOOL_FILE_SECONDS = 5;

/** Starts at once and never fails because Asterisk or the database is not up yet: `ready()` says what is missing. */
export function startRouter(config: RouterConfig, deps: RouterDeps): Router {
  return new RunningRouter(config, deps);
}

class RunningRouter implements Router {
  readonly #deps: RouterDeps;
  readonly #metrics: RouterMetrics;
  readonly #ari: AriConnection;
  readonly #telephony: Telephony;
  readonly #lanes: CallLanes;
  readonly #calls: Calls;
  readonly #limits: Limits;
  readonly #lost: { stop(): void };
  readonly #served: ServedCalls;
  readonly #strangers: Repeated;
  readonly #audit: Audit;
  readonly #recovery: Recovery;
  readonly #claims: Claims;
  readonly #records: RecordSink;
  readonly #routing: RoutingWatch;
  readonly #rollout: PodRollout;
  readonly drain: Drain;
  readonly #pod: string;
  readonly #ending = new AbortController();
  #stopping = false;
  /** Records of an earlier router were looked for. */
  #settled = false;
  #asteriskStartedAt: string | null = null;
  /** How many times ARI came up. */
  #connection = 0;

  constructor(config: RouterConfig, deps: RouterDeps) {
    const { store, logger, clock } = deps;
    this.#deps = deps;
    this.#pod = config.pod;
    this.#metrics = routerMetrics(deps.registry);
    const journal = config.spool === undefined ? noJournal : diskJournal({ ...config.spool, segmentBytes: SPOOL_FILE_BYTES, segmentSeconds: SPOOL_FILE_SECONDS }, logger, this.#metrics);
    this.#records = new SpooledRecordSink({ store, logger, metrics: this.#metrics, journal });
    this.#rollout = startPodRollout(config, { store, logger, clock, metrics: this.#metrics, table: () => this.#routing.table, wasUp: () => this.#connection > 0 });
    this.#routing = watchRouting(store, logger, { pollMs: config.pollMs, onTable: () => this.#rollout.trigger() });
    const connect = config.ariTransport === "rest" ? createAriClientTransport : createAriClient;
    this.#ari = connect({
      ...config.ari,
      app: STASIS_APP,
      logger,
      onEvent: (event) => this.#onEvent(event),
      onUp: () => this.#onUp(),
      onDown: () => this.#onDown(),
      onReplaced: () => this.#replaced(),
    });
    this.#telephony = createTelephony(this.#ari, STASIS_APP, createAriHttp({ ...config.ari, requestTimeoutMs: LISTS_MS }));
    this.#lanes = createCallLanes(this.#ari.lanes, STASIS_APP);
    this.#calls = new Calls({
      clock,
      logger,
      metrics: this.#metrics,
      save: (record) => this.#records.save(record),
      keep: (record) => this.#records.keep(record),
      connected: () => this.#ari.connected,
      left: (channel) => this.#limits.leave(channel),
      perform: (command, call) => (command.type === "Originate" ? this.#dial(command, call) : perform(this.#lanes.of(call.inbound.channel), command)),
    });
    this.#limits = new Limits({ store, logger, metrics: this.#metrics, withinMs: config.lookUpTimeoutMs, living: () => this.#livingLegs() });
    this.#lost = startLostCalls({ store, records: this.#records, calls: this.#calls, clock, logger });
    const served = { pod: config.pod, dir: config.asteriskConfigDir, counter: this.#metrics.servedCalls };
    this.#served = startServedCalls({ ...served, store, records: this.#records, logger });
    this.#audit = startAudit({ calls: this.#calls, telephony: this.#telephony, clock, logger, connected: () => this.#ari.connected });
    const settle: RecoveryDeps["settle"] = (found, connectedAt) => this.#settle(found, connectedAt);
    this.#recovery = new Recovery({ pod: config.pod, calls: this.#calls, telephony: this.#telephony, records: this.#records, clock, logger, settle, signal: this.#ending.signal });
    this.#strangers = countStrangers({ dir: config.asteriskConfigDir, counter: this.#metrics.strangers, logger });
    this.drain = createDrain({ telephony: this.#telephony, calls: this.#calls, records: this.#records, served: this.#served, metrics: this.#metrics, logger });
    this.#claims = new Claims(this.#telephony, logger);
    this.#onEvent = this.#events(config);
    this.#ari.start();
  }

  #onEvent: (event: AriEvent) => void = () => undefined;

  #events(config: RouterConfig): (event: AriEvent) => void {
    const { store, logger, clock } = this.#deps;
    const inTime = new InTime(config.lookUpTimeoutMs, this.#metrics);
    const inbound = {
      pod: config.pod,
      calls: this.#calls,
      clock,
      logger,
      lookUp: createLookUp(store, inTime),
      lookUpLater: createLaterLookUp(store, config.lookUpTimeoutMs, this.#metrics),
      nextTurn: createTurns(store, inTime),
      table: () => this.#routing.table,
      random: Math.random,
      refuse: (channel: string) => this.#refuse(channel),
    };
    const offers = new Offers((channel, args) => prepare(inbound, channel, args));
    return createAriEvents({
      calls: this.#calls,
      telephony: this.#telephony,
      logger,
      // Without a snapshot, or before all of ARI is up, the dialplan's own default is the better answer. Draining, calls are taken to be refused.
      accepting: (channel) => !this.#stopping && (this.drain.draining || (this.#ari.connected && this.#routing.table !== null && this.#keepsUp(channel))),
      claiming: (claim) => this.#claims.add(claim),
      offered: (channel, args) => {
        if (!this.drain.draining) offers.add(channel, args);
      },
      notOurs: (channel) => offers.take(channel),
      cameUp: (channel) => this.#recovery.cameUp(channel),
      takeCall: (channel, args) => {
        const prepared = offers.take(channel.id);
        const origin = this.#stopping ? originOf(inbound, channel, args) : null;
        if (this.drain.draining) this.drain.refuse(channel.id);
        else if (origin !== null) this.#claims.give(channel.id, origin);
        else takeCall(inbound, channel, args, prepared);
      },
    });
  }

  #keepsUp(channel: string): boolean {
    const keepsUp = this.#lanes.keepsUp(channel);
    if (!keepsUp) this.#metrics.shed.inc();
    return keepsUp;
  }

  async #dial(command: Extract<CallCommand, { type: "Originate" }>, call: Call): Promise<unknown> {
    const { channel, attempt } = command;
    const table = this.#routing.table;
    const trunk = table?.trunks.get(attempt.trunk);
    const origination = originationOf(command, call, table);
    // Without a limit nothing may be awaited: the far end is called before Asterisk is asked for the bridge.
    if (this.#limits.applies(attempt, trunk)) await this.#admit(channel, attempt, trunk);
    const telephony = this.#lanes.of(call.inbound.channel);
    return command.early ? telephony.create(origination) : telephony.originate(origination);
  }

  async #admit(channel: string, attempt: Attempt, trunk: TrunkEntry | undefined): Promise<void> {
    await this.#limits.admit(channel, attempt, trunk);
    const leg = this.#calls.callOf(channel)?.legs.find((one) => one.channel === channel);
    if (leg === undefined || !isRinging(leg)) {
      this.#limits.leave(channel);
      throw new ExpectedError("NotFound", "the call went on while its leg waited for its turn");
    }
  }

  #livingLegs(): readonly string[] {
    return this.#calls.all().flatMap(({ legs }) => legs.filter(({ gone }) => !gone).map(({ channel }) => channel));
  }

  ready(): { readonly ready: boolean; readonly reason: string } {
    const missing = [
      ...(this.#stopping ? ["stopping"] : []),
      ...(this.drain.draining ? ["draining"] : []),
      ...(this.#ari.connected ? [] : ["ARI is not connected"]),
      ...(this.#routing.table === null ? ["no routing snapshot was read yet"] : []),
      ...this.#rollout.missing(),
    ];
    return { ready: missing.length === 0, reason: missing.join("; ") || "ok" };
  }

  liveCalls(): number {
    return this.#calls.live;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#ending.abort();
    await handOver(this.#calls);
    await this.#claims.answered();
    await this.#rollout.stop();
    await this.#routing.stop();
    this.#limits.stop();
    this.#lost.stop();
    this.#audit.stop();
    await this.#served.stop();
    await this.#strangers.stop();
    this.#calls.abandon();
    await this.#ari.stop();
    const lost = await this.#records.stop(RECORDS_AT_STOP_MS);
    if (lost > 0) {
      this.#deps.logger.error({ records: lost }, "stopped with call records that the database did not take; those on disk are written at the next start");
    }
  }

  #onUp(): void {
    const { clock } = this.#deps;
    this.#metrics.ariConnected.set(1);
    this.#rollout.trigger();
    this.#connection += 1;
    void this.#recoverAgain(clock.now(), this.#connection);
  }

  #onDown(): void {
    this.#metrics.ariConnected.set(0);
    this.#calls.lost();
    this.#recovery.begin();
  }

  /** Until it was done: whom an earlier router left would wait for nobody. @param connection later ones see to it themselves */
  async #recoverAgain(connectedAt: Date, connection: number): Promise<void> {
    const goesOn = () => connection === this.#connection && this.#ari.connected && !this.#stopping;
    while (goesOn()) {
      try {
        const found = await this.#recover(connectedAt);
        await this.#recovery.finish(found, connectedAt, goesOn);
        return;
      } catch (error) {
        this.#deps.logger.error({ error: messageOf(error), retryMilliseconds: RECOVER_AGAIN_MS }, "what Asterisk holds could not be compared; will retry");
        await pause(RECOVER_AGAIN_MS, this.#ending.signal);
      }
    }
  }

  async #recover(connectedAt: Date): Promise<Found> {
    const known = this.#calls.all();
    const startedAt = await this.#telephony.startedAt();
    const restarted = this.#asteriskStartedAt !== null && startedAt !== this.#asteriskStartedAt;
    const found = await recover(this.#recovery.deps, connectedAt, restarted, known);
    this.#asteriskStartedAt = startedAt;
    this.#limits.keepSeats();
    this.#audit.soon();
    return found;
  }

  async #settle(found: Found, connectedAt: Date): Promise<void> {
    const { logger, clock, store } = this.#deps;
    const before = this.#settled ? null : connectedAt;
    this.#settled = true;
    await settleRecords({ pod: this.#pod, store, records: this.#records, calls: this.#calls, clock, logger, signal: this.#ending.signal }, found, before);
  }

  /** The calls are the other router's: hanging up or dialling for them would be one too many. */
  #replaced(): void {
    this.#calls.abandon();
    this.#limits.forget();
    this.#settled = false;
  }

  #refuse(channel: string): void {
    this.#telephony.hangUp(channel, CAUSE.unallocated).catch((error: unknown) => {
      this.#deps.logger.debug({ channel, error: messageOf(error) }, "a refused channel went by itself");
    });
  }
}
