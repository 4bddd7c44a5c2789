import { CAUSE } from "../q850.ts";
import type { CallEnd, Why } from "../types.ts";
import type { CallCommand } from "./commands.ts";
import { closeLeg, openChannels } from "./legs.ts";
import { isAttributionPending, recordOf } from "./record.ts";
import type { Call, Ended, Ending } from "./states.ts";

export type Stepped = readonly [Call, readonly CallCommand[]];

/** How long channels may take to go after their hang-up; then they are asked once more and the call is closed. */
const HANGUP_SECONDS = 5;

interface Outcome {
  readonly end: CallEnd;
  readonly cause: number;
  readonly callees?: number;
}

/**
 * The outcome stands: everything that is still there is hung up.
 *
 * @param outcome `cause` is what the caller gets to see (Asterisk turns it into a SIP status before the answer); `callees` what the others do
 */
export function endCall(call: Call, { callees = CAUSE.normal, ...outcome }: Outcome, at: Date): Stepped {
  const hangUps = openChannels(call)
    .filter((open) => !open.hungUp)
    .map(({ channel }) => hangUp(channel, channel === call.inbound.channel ? outcome.cause : callees));
  const ending: Ending = {
    ...call,
    kind: "ending",
    ...outcome,
    endedAt: at,
    handedBack: false,
    unsure: false,
    inbound: { ...call.inbound, hungUp: true },
    legs: call.legs.map((leg) => ({ ...closeLeg(leg, "cancelled", at), hungUp: true })),
  };
  return settle(ending, [...hangUps, { type: "StartTimer", timer: "hangup", seconds: HANGUP_SECONDS }]);
}

/** Gives the caller to the dialplan's default destination. Only before an answer: nobody is dialled twice after one. */
export function handBack(call: Call, note: Why, at: Date): Stepped {
  const { home, inbound } = call;
  const noted: Call = { ...call, notes: [...call.notes, note] };
  if (home === null || inbound.gone) {
    return endCall(noted, { end: "failed", cause: CAUSE.failure }, at);
  }
  const [ending, commands] = endCall(noted, { end: "failed", cause: CAUSE.failure }, at);
  const others = commands.filter((command) => !(command.type === "HangUp" && command.channel === inbound.channel));
  // Once the dialplan has the caller, nobody can tell any more that the call was ours. No phone rings while another still does.
  return [ending.kind === "ending" ? { ...ending, handedBack: true } : ending, [...keep(ending), ...others, ...handOver(call)]];
}

/** To the dialplan. Asked for twice it does no harm: a caller whom the dialplan has is not taken from it. */
export function handOver({ home, inbound }: Call): readonly CallCommand[] {
  return home === null ? [] : [{ type: "Continue", channel: inbound.channel, pool: home.pool, did: home.did }];
}

/** Ends for good once no channel is left and it is known who called, for the last record to say so. */
export function settle(ending: Ending, commands: readonly CallCommand[]): Stepped {
  return openChannels(ending).length > 0 || isAttributionPending(ending) ? [ending, commands] : close(ending, commands.filter(({ type }) => type !== "StartTimer"));
}

/** The `hangup` timer ran out: asks once more for what is still there. */
export function giveUp(ending: Ending): Stepped {
  return close(ending, askOnceMore(ending, ending.cause));
}

/** A caller who was handed back is the dialplan's, unless it never heard of that. */
export function askOnceMore(ending: Ending, callees: number): readonly CallCommand[] {
  const { inbound, handedBack, cause } = ending;
  return openChannels(ending).flatMap(({ channel }) => {
    if (channel !== inbound.channel) return [hangUp(channel, callees)];
    return handedBack ? handOver(ending) : [hangUp(channel, cause)];
  });
}

export function hangUp(channel: string, cause: number): CallCommand {
  return { type: "HangUp", channel, cause };
}

/** Keeps the record for the next router, should this one die before it saves the call. */
export function keep(call: Call): readonly CallCommand[] {
  return call.origin === null ? [] : [{ type: "KeepRecord", record: recordOf(call, call.origin) }];
}

/** What does not say yet who called is only kept; it is saved in a moment. */
export function save(call: Call): readonly CallCommand[] {
  if (call.kind !== "ended" && isAttributionPending(call)) return keep(call);
  return call.origin === null ? [] : [{ type: "SaveRecord", record: recordOf(call, call.origin) }];
}

/** The outcome stands, whenever the channels go: the record has it, should this process die before. The last one replaces it. */
export function saveEnd(ending: Ending): readonly CallCommand[] {
  return save({ ...ending, kind: "ended" });
}

function close(ending: Ending, commands: readonly CallCommand[]): Stepped {
  const ended: Ended = { ...ending, kind: "ended" };
  const bridge: readonly CallCommand[] = ending.bridgeMade ? [{ type: "DestroyBridge", bridge: ending.bridge }] : [];
  return [ended, [...commands, ...bridge, ...save(ended)]];
}
