import type { CallEvent } from "./events.ts";
import { prepareBridge } from "./dialing.ts";
import { CAUSE, endCall, hangUp, settle, type Stepped } from "./ending.ts";
import { openChannels } from "./legs.ts";
import type { Bridging, Call, Ending } from "./states.ts";

type Resynced = Extract<CallEvent, { type: "Resynced" }>;
type Step = (call: Call, event: CallEvent) => Stepped;

/**
 * Catches up after ARI was away: its events of that time are never replayed, and requests on their way may be lost.
 * Channels that are missing are gone, legs that are up have answered, and what can't be seen to be done is asked for again.
 */
export function resync(before: Call, event: Resynced, step: Step): Stepped {
  let call = before;
  const commands: Stepped[1][number][] = [];
  for (const missed of missedEvents(before, event)) {
    const [next, wanted] = step(call, missed);
    call = next;
    commands.push(...wanted);
  }
  return [call, [...commands, ...(commands.length > 0 ? [] : again(call, event))]];
}

/** Answers first, so that a leg that answered is not taken for a failed group. */
function missedEvents(call: Call, { channels, at }: Resynced): readonly CallEvent[] {
  const answered = call.legs.filter((leg) => leg.result === null && channels.get(leg.channel)?.up === true);
  const ready = call.legs.filter((leg) => leg.early && !leg.dialled && leg.result === null && channels.get(leg.channel)?.up === false);
  const missing = openChannels(call).filter((open) => !channels.has(open.channel));
  return [
    ...answered.map((leg): CallEvent => ({ type: "LegAnswered", channel: leg.channel, at })),
    ...ready.map((leg): CallEvent => ({ type: "LegReady", channel: leg.channel, at })),
    ...missing.map((open): CallEvent => ({ type: "ChannelGone", channel: open.channel, cause: null, sipStatus: null, at })),
  ];
}

/** Neither side hung up: the call was cut. What had ended before keeps its outcome. */
export function asteriskRestarted(call: Call, at: Date): Stepped {
  const note = { rule: null, matched: false, reason: "AsteriskRestarted", message: "Asterisk was restarted during the call" };
  const cut: Call = {
    ...call,
    notes: call.kind === "ending" || call.kind === "ended" ? call.notes : [...call.notes, note],
    inbound: { ...call.inbound, gone: true },
    legs: call.legs.map((leg) => ({ ...leg, gone: true })),
  };
  switch (cut.kind) {
    case "ended":
      return [call, []];
    case "ending":
      return settle(cut, []);
    default:
      return endCall(cut, { end: "failed", cause: CAUSE.failure }, at);
  }
}

function again(call: Call, { inBridge }: Resynced): Stepped[1] {
  switch (call.kind) {
    case "dialing":
      return inBridge.has(call.inbound.channel) ? [] : prepareBridge(call);
    case "bridging":
      return connectAgain(call, inBridge);
    case "ending":
      return call.handedBack ? [] : hangUpAgain(call);
    case "received":
    case "bridged":
    case "ended":
      return [];
  }
}

function connectAgain(call: Bridging, inBridge: ReadonlySet<string>): Stepped[1] {
  const prepare = inBridge.has(call.inbound.channel) ? [] : prepareBridge(call);
  return [
    ...prepare,
    { type: "Answer", channel: call.inbound.channel },
    { type: "AddToBridge", bridge: call.bridge, channel: call.winner },
  ];
}

function hangUpAgain(call: Ending): Stepped[1] {
  return openChannels(call).map(({ channel }) => hangUp(channel, channel === call.inbound.channel ? call.cause : CAUSE.normal));
}
