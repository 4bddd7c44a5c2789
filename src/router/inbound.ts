import { messageOf } from "../domain/errors.ts";
import type { AriChannel } from "../adapters/ari/events.ts";
import { maskCaller, parseCaller, parseE164 } from "../domain/e164.ts";
import type { Clock, Logger, RuleEntry } from "../domain/ports.ts";
import { CallReason } from "../domain/call-reasons.ts";
import type { UntimedEvent } from "../domain/call/events.ts";
import { callId } from "../domain/call/ids.ts";
import { receiveCall } from "../domain/call/start.ts";
import type { Origin } from "../domain/call/states.ts";
import { routeAhead, type Awaited } from "../domain/routing-ahead.ts";
import { goByLiveCalls, rulesOf } from "../domain/routing-rules.ts";
import type { CallContext, CallFacts, E164, ResourceKey, RouteDecision } from "../domain/types.ts";
import type { Calls } from "./calls.ts";
import type { LookUp } from "./lookup.ts";
import type { RoutingTable } from "../domain/routing-table.ts";
import type { NextTurn } from "./turns.ts";

export interface InboundDeps {
  readonly pod: string;
  readonly calls: Calls;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lookUp: LookUp;
  /** Looks up who made calls that are on their way already: nobody waits for the answer. */
  readonly lookUpLater: LookUp;
  readonly nextTurn: NextTurn;
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
  /** Made without asking the database: the rules don't go by what it knows. */
  readonly decision: RouteDecision | null;
  /** Who calls, where it was asked already: the decision waits for it. */
  readonly context: Promise<CallContext> | null;
}

/**
 * Decides while the claim is on its way, or asks who is calling where the rules go by that. Whose turn it is is asked when the call is ours: it would
 * be counted by every router that it is offered to.
 */
export function prepare(deps: InboundDeps, channel: AriChannel, args: readonly string[]): Prepared | undefined {
  const origin = originOf(deps, channel, args);
  if (origin === null) return undefined;
  const ahead = decideAhead(deps, origin);
  const prepared = { call: callId(channel), origin, decision: null, context: null };
  if (ahead === null) return prepared;
  if (!("awaits" in ahead)) return { ...prepared, decision: ahead };
  return ahead.awaits === "context" ? { ...prepared, context: lookUp(deps, origin, deps.logger.child({ channel: channel.id })) } : prepared;
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
  if (decision !== null) deps.calls.dispatch(id, { type: "Decided", context: null, decision });
  void follow(deps, prepared, logger);
}

async function follow(deps: InboundDeps, prepared: Prepared, logger: Logger): Promise<void> {
  const { call, origin } = prepared;
  // The second call is asked for when this turn is over; the rest of the work is done while it is on its way.
  await Promise.resolve();
  logger.info({}, "call received");
  let { decision } = prepared;
  if (decision === null) {
    const event = await decide(deps, prepared, logger);
    deps.calls.dispatch(call, event);
    if (event.type !== "Decided" || event.context !== null) return;
    ({ decision } = event);
  }
  deps.calls.dispatch(call, await attribute(deps, origin, decision, logger));
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
  const table = deps.table();
  return deps.lookUp({ did, pool, caller, at, liveCalls: table === null || goByLiveCalls(rulesOf(table, pool)) }, logger);
}

/** @returns null when the rules can't be asked */
function decideAhead(deps: InboundDeps, { did, pool, caller, receivedAt: at }: Origin): RouteDecision | Awaited | null {
  const table = deps.table();
  const entry = table?.pools.get(pool);
  if (table === null || entry === undefined) return null;
  try {
    return routeAhead({ did, pool, caller, at, context: null, turns: {}, random: deps.random() }, entry, rulesOf(table, pool));
  } catch (error) {
    deps.logger.debug({ pool, error: messageOf(error) }, "the rules could not be asked ahead");
    return null;
  }
}

/** The far end is being called meanwhile. */
async function attribute(deps: InboundDeps, { did, pool, caller, receivedAt: at }: Origin, decision: RouteDecision, logger: Logger): Promise<UntimedEvent> {
  const context = await deps.lookUpLater({ did, pool, caller, at }, logger);
  logger.info(summary(did, decision, context), "call routed");
  return { type: "Attributed", context };
}

type Decided = Extract<UntimedEvent, { type: "Decided" | "Undecidable" }>;

/** Asks the database for what the rules want to know, one after the other, and the rules again, as they are by then. */
async function decide(deps: InboundDeps, { origin, context: asked }: Prepared, logger: Logger): Promise<Decided> {
  const { did, pool, caller, receivedAt: at } = origin;
  const random = deps.random();
  let turns: CallFacts["turns"] = {};
  let context = await asked;
  for (;;) {
    const table = deps.table();
    const entry = table?.pools.get(pool);
    if (table === null || entry === undefined) {
      const message = table === null ? "no routing snapshot was read yet" : `pool ${pool} is not in revision ${table.revision}`;
      logger.warn({ revision: table?.revision ?? null }, "the call's pool is not known, the dialplan's default takes over");
      return { type: "Undecidable", reason: CallReason.PoolUnknown, message };
    }
    const rules = rulesOf(table, pool);
    let answer: RouteDecision | Awaited;
    try {
      answer = routeAhead({ did, pool, caller, at, context, turns, random }, entry, rules);
    } catch (error) {
      logger.error({ error: messageOf(error) }, "the rules could not be asked, the dialplan's default takes over");
      return { type: "Undecidable", reason: CallReason.DecisionFailed, message: messageOf(error) };
    }
    if (!("awaits" in answer)) {
      if (context !== null) logger.info(summary(did, answer, context), "call routed");
      return { type: "Decided", context, decision: answer };
    }
    if (answer.awaits === "context") context = await lookUp(deps, origin, logger);
    else turns = { ...turns, [answer.rule]: await turnOf(deps, rules, answer.rule, logger) };
  }
}

async function turnOf({ nextTurn }: InboundDeps, rules: readonly RuleEntry[], key: ResourceKey, logger: Logger): Promise<number> {
  const rule = rules.find((one) => one.key === key);
  return rule === undefined ? 0 : await nextTurn(rule, logger);
}

function summary(did: E164, { outcome, rule, groups }: RouteDecision, { attribution }: CallContext): object {
  return { did, outcome, rule, attribution, destinations: groups.map((group) => group.map(({ name }) => name).join("+")) };
}
