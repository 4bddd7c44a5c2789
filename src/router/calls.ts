import { ExpectedError, messageOf } from "../domain/errors.ts";
import { AriError, type Clock, LimitReached, type Logger } from "../domain/ports.ts";
import { isConnecting } from "../domain/call/answer.ts";
import type { CallCommand, TimerName } from "../domain/call/commands.ts";
import type { CommandFailure, UntimedEvent } from "../domain/call/events.ts";
import type { Call, Ended } from "../domain/call/states.ts";
import { step } from "../domain/call/step.ts";
import type { CallRecord } from "../domain/types.ts";
import type { RouterMetrics } from "./metrics.ts";
import type { TelephonyCommand } from "./perform.ts";

export interface CallsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: RouterMetrics;
  readonly perform: (command: TelephonyCommand, call: Call) => Promise<unknown>;
  readonly save: (record: CallRecord) => void;
  /** Keeps the record on the disk until the call is saved. */
  readonly keep: (record: CallRecord) => void;
  /** The channel is no more: its seats are given back. May be called twice, and with channels that nobody knows. */
  readonly left: (channel: string) => void;
  /** False while ARI is away: what was asked then is settled by the resync. */
  readonly connected: () => boolean;
}

/** A timer that is later than this did not run late by itself: the whole process stood still. */
const STALLED_MS = 1_000;
/** Then what Asterisk said meanwhile is read first: a leg may have answered long ago. */
const CATCH_UP_MS = 500;
/** Nobody can be given up, nor anybody else be called, nor is anybody hung up, before ARI is back and it is known what Asterisk did meanwhile. */
const NEED_ARI: readonly TimerName[] = ["ring", "hangup"];
/** Ends of adopted calls whose records are not found yet. */
const MAX_UNRECORDED = 10_000;

function failureOf(error: unknown): CommandFailure {
  if (error instanceof LimitReached) return { kind: "limit", full: error.limit === "destination" };
  if (error instanceof AriError) return { kind: "refused", status: error.status };
  return { kind: error instanceof ExpectedError && error.code === "Unavailable" ? "unanswered" : "not asked" };
}

function isSoAlready({ type }: TelephonyCommand, status: number | null): boolean {
  return status === 404 ? type === "DestroyBridge" || type === "StopWhisper" : status === 409 && type === "CreateBridge";
}

/** Who was to be hung up went by himself; a caller who can't be answered has given up, and his channel is no more or on its way out of the application. */
function isGone({ type }: TelephonyCommand, status: number | null): boolean {
  return status === 404 ? type === "HangUp" || type === "Answer" : status === 409 && type === "Answer";
}

/** The caller hears the other one, or is about to. */
function connects(call: Call, command: TelephonyCommand): boolean {
  return isConnecting(call) && (command.type === "Answer" || (command.type === "AddToBridge" && command.channel === call.winner));
}

type Gone = Extract<UntimedEvent, { type: "ChannelGone" }>;

interface LiveCall {
  call: Call;
  readonly logger: Logger;
  readonly timers: Map<TimerName, NodeJS.Timeout>;
  /** `AddToBridge` without an answer yet. */
  joining: number;
  /** Who left meanwhile. */
  readonly left: Gone[];
  /** What was asked for to answer the caller and connect the two was once never answered: from then on nobody knows what of it was done. */
  unsure: boolean;
}

/** All calls of this process: runs the state machine and carries out what it wants. Holds no rule of its own. */
export class Calls {
  readonly #deps: CallsDeps;
  readonly #calls = new Map<string, LiveCall>();
  #outages = 0;
  /** The last outage after which calls were told what Asterisk holds. */
  #told = 0;
  readonly #byChannel = new Map<string, string>();
  readonly #unrecorded = new Map<string, Ended>();

  constructor(deps: CallsDeps) {
    this.#deps = deps;
  }

  get live(): number {
    return this.#calls.size;
  }

  /** Ids of all live calls with their present state. */
  all(): readonly Call[] {
    return [...this.#calls.values()].map(({ call }) => call);
  }

  find(id: string): Call | undefined {
    return this.#calls.get(id)?.call;
  }

  /** How an adopted call ended whose record was not there yet; answered once. */
  takeUnrecorded(id: string): Ended | undefined {
    const ended = this.#unrecorded.get(id);
    this.#unrecorded.delete(id);
    return ended;
  }

  owns(channel: string): boolean {
    return this.#byChannel.has(channel);
  }

  callOf(channel: string): Call | undefined {
    return this.#calls.get(this.#byChannel.get(channel) ?? "")?.call;
  }

  /** ARI was lost: what Asterisk does from now on has to be found out. */
  lost(): void {
    this.#outages += 1;
  }

  /** How many times ARI was lost. */
  get outages(): number {
    return this.#outages;
  }

  /** Each call was told what Asterisk holds. @param outage the last one before Asterisk was asked */
  caughtUp(outage: number): void {
    this.#told = outage;
  }

  start(call: Call, commands: readonly CallCommand[], logger: Logger): void {
    const live: LiveCall = { call, logger, timers: new Map(), joining: 0, left: [], unsure: false };
    this.#calls.set(call.id, live);
    this.#index(call);
    this.#deps.metrics.liveCalls.set(this.#calls.size);
    logger.debug({ to: call.kind }, "call moved on");
    this.#carryOut(live, commands);
  }

  /** Gives an event to its call. Events of calls that are over are dropped. */
  dispatch(id: string, event: UntimedEvent): void {
    const live = this.#calls.get(id);
    if (live === undefined) {
      return;
    }
    if (event.type === "ChannelGone") {
      this.#deps.left(event.channel);
      // Answers come another way than events. One that is on its way says whether the two were connected before this.
      if (live.joining > 0 && live.call.kind === "bridging") {
        live.left.push(event);
        return;
      }
    }
    this.#step(live, event);
  }

  #step(live: LiveCall, event: UntimedEvent): void {
    const before = live.call;
    const known = event.type === "ChannelGone" && live.unsure ? { ...event, unsure: true } : event;
    const [call, commands] = step(before, { ...known, at: this.#deps.clock.now() });
    live.call = call;
    this.#index(call);
    if (call.kind !== before.kind) {
      this.#moved(live, before);
    }
    this.#carryOut(live, commands);
  }

  /** Gives an event to the call that owns the channel. @returns false when no call owns it */
  dispatchTo(channel: string, event: UntimedEvent): boolean {
    const id = this.#byChannel.get(channel);
    if (id !== undefined) {
      this.dispatch(id, event);
    }
    return id !== undefined;
  }

  /** Forgets timers; the calls themselves go on in Asterisk and are adopted by the next router. */
  abandon(): void {
    for (const { timers } of this.#calls.values()) {
      timers.forEach((timer) => clearTimeout(timer));
    }
    this.#calls.clear();
    this.#byChannel.clear();
    this.#deps.metrics.liveCalls.set(0);
  }

  #index(call: Call): void {
    this.#byChannel.set(call.inbound.channel, call.id);
    for (const leg of call.legs) {
      this.#byChannel.set(leg.channel, call.id);
    }
  }

  #moved(live: LiveCall, before: Call): void {
    const { call, logger } = live;
    logger.debug({ from: before.kind, to: call.kind }, "call moved on");
    if (call.kind === "bridged" && call.origin !== null && call.bridgedAt !== null) {
      this.#deps.metrics.setupSeconds.observe((call.bridgedAt.getTime() - call.origin.receivedAt.getTime()) / 1000);
    }
    if (call.kind === "ending" && call.handedBack) {
      this.#deps.metrics.handedBack.inc();
    }
    if (call.kind === "ended") {
      if (call.origin === null && this.#unrecorded.size < MAX_UNRECORDED) this.#unrecorded.set(call.id, call);
      this.#deps.metrics.calls.inc({ end: call.end });
      logger.info({ end: call.end, cause: call.cause, legs: call.legs.length }, "call ended");
    }
  }

  #carryOut(live: LiveCall, commands: readonly CallCommand[]): void {
    for (const command of commands) {
      switch (command.type) {
        case "StartTimer":
          this.#startTimer(live, command.timer, command.seconds);
          break;
        case "SaveRecord":
          this.#deps.save(command.record);
          break;
        case "KeepRecord":
          this.#deps.keep(command.record);
          break;
        default:
          void this.#perform(live, command);
      }
    }
    if (live.call.kind === "ended") {
      this.#forget(live);
    }
  }

  #startTimer({ call, timers }: LiveCall, timer: TimerName, seconds: number): void {
    clearTimeout(timers.get(timer));
    const due = performance.now() + seconds * 1000;
    let waits = false;
    const ring = () => {
      if (NEED_ARI.includes(timer) && !(this.#deps.connected() && this.#told === this.#outages)) {
        timers.set(timer, setTimeout(ring, CATCH_UP_MS));
        if (!waits) this.dispatch(call.id, { type: "Delayed", timer });
        waits = true;
      } else if (performance.now() < due + STALLED_MS) this.dispatch(call.id, { type: "Deadline", timer });
      else timers.set(timer, setTimeout(() => this.dispatch(call.id, { type: "Deadline", timer }), CATCH_UP_MS));
    };
    timers.set(timer, setTimeout(ring, seconds * 1000));
  }

  async #perform(live: LiveCall, command: TelephonyCommand): Promise<void> {
    if (command.type === "AddToBridge") live.joining += 1;
    try {
      await this.#deps.perform(command, live.call);
      if (command.type === "AddToBridge") {
        this.dispatch(live.call.id, { type: "Joined", channel: command.channel });
        this.#joined(live);
      }
    } catch (error) {
      // What could not even be sent fails at once: not before the commands after it were carried out.
      await Promise.resolve();
      if (failureOf(error).kind === "unanswered" && connects(live.call, command)) live.unsure = true;
      // Who had left is why it failed.
      if (command.type === "AddToBridge") this.#joined(live);
      this.#failed(live, command, error);
    }
  }

  #joined(live: LiveCall): void {
    live.joining -= 1;
    if (live.joining > 0) return;
    for (const gone of live.left.splice(0)) {
      if (this.#calls.get(live.call.id) === live) this.#step(live, gone);
    }
  }

  #failed(live: LiveCall, command: TelephonyCommand, error: unknown): void {
    const { call, logger } = live;
    const failure = failureOf(error);
    const status = failure.kind === "refused" ? failure.status : null;
    const channel = "channel" in command ? command.channel : "";
    if (isSoAlready(command, status)) {
      return;
    }
    if (isGone(command, status)) {
      this.#gone(live, command, channel);
      return;
    }
    // Nobody is called, so nobody takes up room.
    if (command.type === "Originate" && failure.kind !== "unanswered") this.#deps.left(channel);
    logger.warn({ command: command.type, failure, error: messageOf(error) }, "Asterisk did not do what was asked");
    // Without ARI nothing can be asked again. What it was whose answer is missing, only a `Dial` needs to know when ARI is back.
    if (failure.kind !== "unanswered" || this.#deps.connected() || command.type === "Dial") {
      this.dispatch(call.id, { type: "CommandFailed", command: command.type, channel, failure });
    }
  }

  /** Who can't be answered any more was not connected, whatever the answers that are still on their way say. */
  #gone(live: LiveCall, { type }: TelephonyCommand, channel: string): void {
    const gone = { type: "ChannelGone", channel, cause: null, sipStatus: null } as const;
    if (type !== "Answer") {
      this.dispatch(live.call.id, gone);
      return;
    }
    this.#deps.left(channel);
    // Of an answer that is asked for once more it only says that the caller has left by now.
    if (this.#calls.get(live.call.id) === live) this.#step(live, live.unsure ? gone : { ...gone, unanswered: true });
  }

  #forget({ call, timers }: LiveCall): void {
    timers.forEach((timer) => clearTimeout(timer));
    this.#calls.delete(call.id);
    for (const channel of [call.inbound.channel, ...call.legs.map((leg) => leg.channel)]) {
      this.#byChannel.delete(channel);
      this.#deps.left(channel);
    }
    this.#deps.metrics.liveCalls.set(this.#calls.size);
  }
}
