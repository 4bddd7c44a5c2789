import { setTimeout as sleep } from "node:timers/promises";

import type { AriBridge, ListedChannel } from "../adapters/ari/events.ts";
import type { Telephony } from "../adapters/ari/telephony.ts";
import { fallbackContext, isFallbackContext } from "../domain/asterisk-names.ts";
import type { SeenChannel } from "../domain/call/events.ts";
import { callId, callOfBridge, callOfLeg } from "../domain/call/ids.ts";
import { openChannelIds, openChannels, youngLegs } from "../domain/call/legs.ts";
import { type HeldChannel, planRecovery, type RecoveryAction } from "../domain/call/recovery.ts";
import { adoptAnswered, adoptCall, firstRecord } from "../domain/call/start.ts";
import type { Call, Origin } from "../domain/call/states.ts";
import { ExpectedError, messageOf } from "../domain/errors.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import { CAUSE } from "../domain/q850.ts";
import type { Calls } from "./calls.ts";
import { originOf } from "./inbound.ts";
import type { RecordSink } from "./record-sink.ts";

export interface RecoverDeps {
  readonly pod: string;
  readonly calls: Calls;
  readonly telephony: Telephony;
  readonly records: Pick<RecordSink, "keep">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Channels of no call that answered since ARI was lost; grows while it is looked at. */
  readonly up: ReadonlySet<string>;
}

/** Calls of an earlier router, by id; their records are still to be settled. */
export interface Found {
  /** Callers who were given to the dialplan. */
  readonly handedBack: Map<string, Origin>;
  /** Calls that go on here, and whom to ask where one came from should no record say so. */
  readonly adopted: Map<string, () => Promise<Origin | null>>;
  /** How soon to look at what is left: somebody answered meanwhile, or Asterisk did not. null: nothing is. */
  lookAgainMs: number | null;
}

/** Asterisk did not answer in time. */
export const LATER_MS = 1_000;

/** Hang-ups carry their cause out before the bridge is taken away. */
const BEFORE_BRIDGES_MS = 300;
/** One after the other a thousand calls take seconds, in which phones ring for nobody; all at once some requests would time out. */
const AT_ONCE = 16;

/**
 * After every (re)connect: events of the time without ARI are never replayed, so that what Asterisk holds is compared with
 * what this process knows. Its own calls catch up; what an earlier process left is adopted, handed back or ended.
 *
 * @param connectedAt channels that are younger announce themselves
 * @param restarted Asterisk is not the one of before: our calls were cut
 * @param known our calls before Asterisk was asked anything: those that end meanwhile are still no calls of an earlier router
 */
export async function recover(deps: RecoverDeps, connectedAt: Date, restarted: boolean, known = deps.calls.all()): Promise<Found> {
  const outage = deps.calls.outages;
  const { own, channels, bridges } = await held(deps.telephony, known);
  for (const call of known) {
    if (restarted && !channels.some(({ id }) => id === call.inbound.channel)) deps.calls.dispatch(call.id, { type: "AsteriskRestarted" });
    else catchUp(deps.calls, call, { channels, bridges, asOf: connectedAt });
  }
  deps.calls.caughtUp(outage);
  return settleOrphans(deps, { known, connectedAt }, { own, channels, bridges });
}

/** The same for what is left once our own calls have caught up. */
export async function recoverMore(deps: RecoverDeps, connectedAt: Date): Promise<Found> {
  const known = deps.calls.all();
  return settleOrphans(deps, { known, connectedAt }, await held(deps.telephony, known));
}

type Held = Awaited<ReturnType<typeof held>>;

async function settleOrphans(deps: RecoverDeps, { known, connectedAt }: { readonly known: readonly Call[]; readonly connectedAt: Date }, { own, channels, bridges }: Held): Promise<Found> {
  // The application is told of callers who left it for the dialplan as well, where it was asked to watch them.
  const before = new Set(known.flatMap(({ inbound, legs }) => [inbound, ...legs]).map(({ channel }) => channel));
  const isOurs = (id: string) => deps.calls.owns(id) || before.has(id);
  const orphans = channels.filter(({ id, createdAt, context }) => own.has(id) && !isFallbackContext(context) && !isOurs(id) && (createdAt === null || createdAt < connectedAt));
  const mine = new Set([...known, ...deps.calls.all()].map(({ bridge }) => bridge));
  const left = bridges.filter(({ id }) => callOfBridge(id) !== undefined && !mine.has(id));
  const plan = planRecovery(orphans.map((channel) => asHeld(channel, deps.up)), left);
  if (plan.length > 0) {
    deps.logger.info({ actions: counts(plan) }, "found calls of an earlier router");
  }
  const found = await carryOut(deps, plan, { channels: new Map(orphans.map((channel) => [channel.id, channel])), bridges, up: new Set(deps.up) });
  try {
    await endAlone(deps, found);
  } catch (error) {
    // What was adopted is looked at again now and then.
    deps.logger.warn({ error: messageOf(error) }, "whether the parties of adopted calls are still there could not be looked at");
  }
  return found;
}

/** Who left after the lists were made and before the call was adopted was nobody's, and the event of it went unheard: the other side would stay for ever. */
async function endAlone({ calls, telephony }: RecoverDeps, { adopted }: Found): Promise<void> {
  const open = [...adopted.keys()].map((id) => calls.find(id)).filter((call) => call !== undefined);
  if (open.length === 0) return;
  const listed = new Set((await telephony.channels(openChannelIds(open))).map(({ id }) => id));
  for (const call of open) {
    const gone = openChannels(call).filter(({ channel }) => !listed.has(channel));
    for (const { channel } of gone) calls.dispatch(call.id, { type: "ChannelGone", channel, cause: null, sipStatus: null });
  }
}

function asHeld(channel: ListedChannel, upNow: ReadonlySet<string>): HeldChannel {
  const { id, state } = channel;
  return { id, up: state === "Up" || upNow.has(id), call: callOfLeg(id) === undefined ? callId(channel) : null };
}

async function held(telephony: Telephony, known: readonly Call[]): Promise<{ own: ReadonlySet<string>; channels: readonly ListedChannel[]; bridges: readonly AriBridge[] }> {
  const [own, channels, bridges] = await Promise.all([telephony.ownChannels(), telephony.channels(openChannelIds(known)), telephony.bridges()]);
  return { own: new Set(own), channels, bridges };
}

interface Seen {
  readonly channels: readonly ListedChannel[];
  readonly bridges: readonly AriBridge[];
  /** No event was missed since then. */
  readonly asOf: Date;
}

/** A leg that was begun since may still be on its way to Asterisk when the lists are made: it is not in them, and not missing either. */
function catchUp(calls: Calls, call: Call, { channels, bridges, asOf }: Seen): void {
  const listed = channels.map(({ id, state }): [string, SeenChannel] => [id, { up: state === "Up" }]);
  const young = youngLegs(calls.callOf(call.inbound.channel) ?? call, asOf);
  const members = bridges.find(({ id }) => id === call.bridge)?.channels ?? [];
  calls.dispatch(call.id, { type: "Resynced", channels: new Map([...young, ...listed]), inBridge: new Set(members) });
}

function counts(plan: readonly RecoveryAction[]): Record<string, number> {
  const result: Record<string, number> = {};
  for (const { type } of plan) {
    result[type] = (result[type] ?? 0) + 1;
  }
  return result;
}

interface HeldNow {
  readonly channels: ReadonlyMap<string, ListedChannel>;
  readonly bridges: readonly AriBridge[];
  /** What had answered since the lists, when it was planned what to do. */
  readonly up: ReadonlySet<string>;
}

async function carryOut(deps: RecoverDeps, plan: readonly RecoveryAction[], now: HeldNow): Promise<Found> {
  const found: Found = { handedBack: new Map(), adopted: new Map(), lookAgainMs: null };
  // Phones that ring for nobody are silent before the default destination's ring.
  for (const types of [["adopt", "connect", "hangUp"], ["handBack"]]) {
    const waiting = plan.filter(({ type }) => types.includes(type));
    const worker = async (): Promise<void> => {
      for (let action = waiting.shift(); action !== undefined; action = waiting.shift()) await carryOutOne(deps, action, now, found);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }
  const bridges = plan.filter((action) => action.type === "destroyBridge");
  if (bridges.length > 0) {
    await sleep(BEFORE_BRIDGES_MS);
    await Promise.allSettled(bridges.filter(({ bridge }) => !isOutdated(deps, bridge, now)).map(({ bridge }) => deps.telephony.destroyBridge(bridge)));
  }
  return found;
}

async function carryOutOne(deps: RecoverDeps, action: RecoveryAction, now: HeldNow, found: Found): Promise<void> {
  try {
    await perform(deps, action, now, found);
  } catch (error) {
    if (isUnavailable(error)) found.lookAgainMs ??= LATER_MS;
    deps.logger.warn({ action: action.type, error: messageOf(error) }, "a call of an earlier router was not settled");
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ExpectedError && error.code === "Unavailable";
}

/** Since it was planned a channel of the call that this channel or bridge is of has answered: whoever talks is not hung up, and nobody is rung after an answer. */
function isOutdated({ up }: RecoverDeps, object: string, { channels, up: planned }: HeldNow): boolean {
  const callOf = (id: string) => {
    const caller = channels.get(id);
    return callOfLeg(id) ?? callOfBridge(id) ?? (caller === undefined ? id : callId(caller));
  };
  return [...up].some((id) => !planned.has(id) && callOf(id) === callOf(object));
}

async function perform(deps: RecoverDeps, action: RecoveryAction, now: HeldNow, found: Found): Promise<void> {
  const { telephony } = deps;
  switch (action.type) {
    case "adopt":
      adopt(deps, action, now, found);
      break;
    case "connect":
      await connect(deps, action, now, found);
      break;
    case "handBack":
      await handBack(deps, action, now, found);
      break;
    case "hangUp":
      if (isOutdated(deps, action.channel, now)) found.lookAgainMs = 0;
      else await telephony.hangUp(action.channel, CAUSE.normal);
      break;
    case "destroyBridge":
      // Later, with all the others.
      break;
  }
}

type ActionOf<T extends RecoveryAction["type"]> = Extract<RecoveryAction, { type: T }>;

function adopt(deps: RecoverDeps, action: ActionOf<"adopt">, { channels }: HeldNow, found: Found): void {
  const { calls, clock, logger } = deps;
  const inbound = channels.get(action.inbound);
  calls.start(adoptCall(action.call, action, clock.now()), [], logger.child({ call: action.call, adopted: true }));
  if (inbound !== undefined) found.adopted.set(action.call, () => askOrigin(deps, inbound));
}

async function connect(deps: RecoverDeps, action: ActionOf<"connect">, { channels, bridges }: HeldNow, found: Found): Promise<void> {
  const { calls, clock, logger, telephony } = deps;
  const inbound = channels.get(action.inbound);
  // When the caller has left meanwhile, nobody else would hang up the leg. While Asterisk does not answer, both are still there.
  const callerLeft = async (error: unknown) => {
    if (!isUnavailable(error)) await telephony.hangUp(action.leg, CAUSE.normal);
    throw error;
  };
  const origin = inbound === undefined ? null : await askOrigin(deps, inbound).catch(callerLeft);
  const call = adoptAnswered(action.call, action, action.answered ? null : origin, clock.now());
  found.adopted.set(call.id, () => Promise.resolve(origin));
  calls.start(call, [], logger.child({ call: action.call, adopted: true }));
  catchUp(calls, call, { channels: [...channels.values()], bridges, asOf: clock.now() });
}

async function handBack(deps: RecoverDeps, { channel, call }: ActionOf<"handBack">, now: HeldNow, found: Found): Promise<void> {
  const held = now.channels.get(channel);
  const origin = held === undefined ? null : await askOrigin(deps, held);
  if (isOutdated(deps, channel, now)) {
    found.lookAgainMs = 0;
    return;
  }
  if (call === null || origin === null) {
    await deps.telephony.hangUp(channel, CAUSE.normal);
    return;
  }
  deps.records.keep(firstRecord(call, origin));
  found.handedBack.set(call, origin);
  await deps.telephony.continueAt(channel, { context: fallbackContext(origin.pool), extension: origin.did.slice(1) });
}

/** The dialplan left a note on the channel about whose call it is. @returns null for a channel that can't be one of our dialplan's */
async function askOrigin({ pod, clock, telephony }: Pick<RecoverDeps, "pod" | "clock" | "telephony">, held: ListedChannel): Promise<Origin | null> {
  const [pool, presentation] = await Promise.all([
    telephony.variable(held.id, "DIALPLANE_POOL"),
    telephony.variable(held.id, "CALLERID(num-pres)").catch(() => "unknown"),
  ]);
  const origin = originOf({ pod, clock }, held, ["inbound", pool, presentation]);
  return origin === null ? null : { ...origin, receivedAt: held.createdAt ?? origin.receivedAt };
}
