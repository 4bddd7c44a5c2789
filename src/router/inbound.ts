import { messageOf } from "../domain/errors.ts";
import type { AriChannel } from "../adapters/ari/events.ts";
import { maskCaller, parseCaller, parseE164 } from "../domain/e164.ts";
import type { Clock, Logger } from "../domain/ports.ts";
import { CallReason } from "../domain/call-reasons.ts";
import type { UntimedEvent } from "../domain/call/events.ts";
import { callId } from "../domain/call/ids.ts";
import { receiveCall } from "../domain/call/start.ts";
import type { Origin } from "../domain/call/states.ts";
import { route } from "../domain/routing.ts";
import { routeAhead } from "../domain/routing-ahead.ts";
import { contextNeeds, rulesOf } from "../domain/routing-rules.ts";
import type { CallContext, CallFacts, E164, RouteDecision } from "../domain/types.ts";
import type { Calls } from "./calls.ts";
import type { LookUp } from "./lookup.ts";
import type { RoutingTable } from "../domain/routing-table.ts";

export interface InboundDeps {
  readonly pod: string;
  readonly calls: Calls;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lookUp: LookUp;
  /** Looks up who made calls that are on their way already: nobody waits for the answer. */
  readonly lookUpLater: LookUp;
  readonly table: () => RoutingTable | null;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Refuses a channel that can't be one of our dialplan's. */
  readonly refuse: (channel: string) => void;
}

/** What can be done for a call before it is ours. */
export interface Prepared {
  readonly call: string;
  readonly origin: Origin;
  /** Made without asking who calls: the rules don't go by it. */
  readonly decision: RouteDecision | undefined;
  /** Who calls, where it was asked already: the decision waits for it. */
  readonly context: Promise<CallContext> | undefined;
}

/**
 * Decides while the claim is on its way, or asks who is calling where the rules go by that. Not where a rule counts calls: each would be
 * counted by every router that it is offered to.
 */
export function prepare(deps: InboundDeps, channel: AriChannel, args: readonly string[]): Prepared | undefined {
  const origin = originOf(deps, channel, args);
  if (origin === null) return undefined;
  const decision = decideAhead(deps, origin);
  const table = deps.table();
  const askNow = decision === undefined && table !== null && !contextNeeds(rulesOf(table, origin.pool)).sequence;
  return { call: callId(channel), origin, decision, context: askNow ? lookUp(deps, origin, deps.logger.child({ channel: channel.id })) : undefined };
}

/**
 * Takes a call that entered the application: who calls, where to, go.
 *
 * @param prepared what was done when it was offered
 */
export function takeCall(deps: InboundDeps, channel: AriChannel, args: readonly string[], prepared = prepare(deps, channel, args)): void {
  if (prepared === undefined) {
    deps.logger.warn({ channel: channel.id, extension: channel.extension.slice(0, 40) }, "a channel without a pool's number entered the application");
    deps.refuse(channel.id);
    return;
  }
  const { call: id, origin, decision } = prepared;
  const logger = deps.logger.child({ call: id, pool: origin.pool, did: origin.did, caller: maskCaller(origin.caller) });
  const [call, commands] = receiveCall(id, channel.id, origin);
  deps.calls.start(call, commands, logger);
  if (decision !== undefined) deps.calls.dispatch(id, { type: "Decided", context: null, decision });
  void follow(deps, prepared, logger).then((event) => deps.calls.dispatch(id, event));
}

async function follow(deps: InboundDeps, { origin, decision, context }: Prepared, logger: Logger): Promise<UntimedEvent> {
  // The second call is asked for when this turn is over; the rest of the work is done while it is on its way.
  await Promise.resolve();
  logger.info({}, "call received");
  return await (decision === undefined ? decide(deps, origin, context, logger) : attribute(deps, origin, decision, logger));
}

/**
 * The dialplan's arguments are `inbound`, the pool and the presentation of the caller's number (CALLERID(num-pres)): a number that its
 * owner hides is nobody's to see. A dialplan of an earlier version says nothing of it.
 */
export function originOf({ pod, clock }: Pick<InboundDeps, "pod" | "clock">, channel: AriChannel, args: readonly string[]): Origin | null {
  const [, pool = "", presentation = "allowed"] = args;
  const did = parseE164(`+${channel.extension.replace(/^\+/, "")}`);
  if (did === null || !/^[a-z0-9.-]+\/[a-z0-9.-]+$/.test(pool)) {
    return null;
  }
  const caller = presentation.startsWith("allowed") ? parseCaller(channel.callerNumber) : null;
  return { pod, did, pool, caller, receivedAt: clock.now() };
}

function lookUp(deps: InboundDeps, { did, pool, caller, receivedAt: at }: Origin, logger: Logger): Promise<CallContext> {
  const known = deps.table();
  const needs = known === null ? {} : { needs: contextNeeds(rulesOf(known, pool)) };
  return deps.lookUp({ did, pool, caller, at, ...needs }, logger);
}

/** @returns undefined when the rules ask who calls, or can't be asked */
function decideAhead(deps: InboundDeps, { did, pool, caller, receivedAt: at }: Origin): RouteDecision | undefined {
  const table = deps.table();
  const entry = table?.pools.get(pool);
  if (table === null || entry === undefined) return undefined;
  try {
    return routeAhead({ did, pool, caller, at, random: deps.random() }, entry, rulesOf(table, pool));
  } catch (error) {
    deps.logger.debug({ pool, error: messageOf(error) }, "the rules could not be asked ahead");
    return undefined;
  }
}

/** The far end is being called meanwhile. */
async function attribute(deps: InboundDeps, { did, pool, caller, receivedAt: at }: Origin, decision: RouteDecision, logger: Logger): Promise<UntimedEvent> {
  const context = await deps.lookUpLater({ did, pool, caller, at }, logger);
  logger.info(summary(did, decision, context), "call routed");
  return { type: "Attributed", context };
}

async function decide(deps: InboundDeps, origin: Origin, asked: Promise<CallContext> | undefined, logger: Logger): Promise<UntimedEvent> {
  const { did, pool, caller, receivedAt: at } = origin;
  const context = await (asked ?? lookUp(deps, origin, logger));
  const table = deps.table();
  const entry = table?.pools.get(pool);
  if (table === null || entry === undefined) {
    const message = table === null ? "no routing snapshot was read yet" : `pool ${pool} is not in revision ${table.revision}`;
    logger.warn({ revision: table?.revision ?? null }, "the call's pool is not known, the dialplan's default takes over");
    return { type: "Undecidable", reason: CallReason.PoolUnknown, message };
  }
  try {
    const decision = route({ did, pool, caller, at, context, random: deps.random() } satisfies CallFacts, entry, rulesOf(table, pool));
    logger.info(summary(did, decision, context), "call routed");
    return { type: "Decided", context, decision };
  } catch (error) {
    logger.error({ error: messageOf(error) }, "the rules could not be asked, the dialplan's default takes over");
    return { type: "Undecidable", reason: CallReason.DecisionFailed, message: messageOf(error) };
  }
}

function summary(did: E164, { outcome, rule, groups }: RouteDecision, { attribution }: CallContext): object {
  return { did, outcome, rule, attribution, destinations: groups.map((group) => group.map(({ name }) => name).join("+")) };
}
