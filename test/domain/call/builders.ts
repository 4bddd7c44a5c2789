import type { CallCommand, TimerName } from "../../../src/domain/call/commands.ts";
import type { CallEvent } from "../../../src/domain/call/events.ts";
import { legId } from "../../../src/domain/call/ids.ts";
import { receiveCall } from "../../../src/domain/call/start.ts";
import type { Call } from "../../../src/domain/call/states.ts";
import { step } from "../../../src/domain/call/step.ts";
import type { Attempt, RouteDecision } from "../../../src/domain/types.ts";
import { e164, facts } from "../builders.ts";

export const ID = "6a1f0c5e-52a4-4f9b-8c8e-0c1f6c3d7a11";
export const INBOUND = "1700000000.1";
export const AT = new Date("2026-06-01T12:00:00Z");
export const LEG = (index: number) => legId(ID, index);

export type Happening = CallEvent extends infer E ? (E extends CallEvent ? Omit<E, "at"> : never) : never;

export function anAttempt(name: string, of: Partial<Attempt> = {}): Attempt {
  return { name, destination: `sip:${name}@pbx.example`, trunk: "default/carrier", ringTimeoutSeconds: 20, maxConcurrentCalls: null, whisper: null, ...of };
}

export function aDecision(groups: readonly (readonly string[])[], of: Partial<RouteDecision> = {}): RouteDecision {
  return {
    outcome: "route",
    rule: "default/rule",
    groups: groups.map((group) => group.map((name) => anAttempt(name))),
    stickyFirst: false,
    callerId: { type: "Tracking" },
    onBusy: "Stop",
    onNoAnswer: "Next",
    earlyMedia: false,
    maxCallSeconds: 600,
    whenFull: null,
    why: [],
    ...of,
  };
}

/** The same with a whisper at every destination. */
export function whispering(decision: RouteDecision): RouteDecision {
  return { ...decision, groups: decision.groups.map((group) => group.map((attempt) => ({ ...attempt, whisper: "sound:beep" }))) };
}

/** What the arrival of a call wants is part of it. */
export function arrived(): readonly [Call, readonly CallCommand[]] {
  const origin = { pod: "pod-0", did: e164("+12025550101"), pool: "default/sales", caller: e164("+13125550123"), receivedAt: AT };
  return receiveCall(ID, INBOUND, origin);
}

export function received(): Call {
  return arrived()[0];
}

/** Runs events through the machine; answers the last state and what the LAST event wanted. */
export function after(call: Call, ...happenings: readonly Happening[]): { readonly call: Call; readonly commands: readonly CallCommand[] } {
  let state = call;
  let commands: readonly CallCommand[] = [];
  for (const happening of happenings) {
    [state, commands] = step(state, { ...happening, at: AT });
  }
  return { call: state, commands };
}

export const decided = (decision: RouteDecision): Happening => ({ type: "Decided", context: facts().context, decision });
/** Before it is known who calls. */
export const decidedAhead = (decision: RouteDecision): Happening => ({ type: "Decided", context: null, decision });
export const ringing = (leg: number): Happening => ({ type: "LegRinging", channel: LEG(leg) });
export const answered = (leg: number, unproven?: boolean): Happening => ({ type: "LegAnswered", channel: LEG(leg), ...(unproven === undefined ? {} : { unproven }) });
export const joined = (leg: number): Happening => ({ type: "Joined", channel: LEG(leg) });
export const gone = (channel: string, cause: number | null = 16, sipStatus: number | null = null): Happening => ({ type: "ChannelGone", channel, cause, sipStatus });
export const deadline = (timer: TimerName): Happening => ({ type: "Deadline", timer });
/** @param status ARI's; 0: no answer came */
export const commandFailed = (command: CallCommand["type"], status: number, channel = ""): Happening => ({ type: "CommandFailed", command, channel, failure: status === 0 ? { kind: "unanswered" } : { kind: "refused", status } });

/** Every state, by the events that lead there. Two legs are called at the same time, and the first of them rings; a third comes after them. */
export const STATES: Readonly<Record<Call["kind"] | "nobody rings" | "whispering" | "unproven" | "handed back", () => Call>> = {
  received,
  "nobody rings": () => after(received(), decided(aDecision([["a", "b"], ["c"]]))).call,
  dialing: () => after(STATES["nobody rings"](), ringing(0)).call,
  whispering: () => after(received(), decided(whispering(aDecision([["a", "b"], ["c"]]))), ringing(0), answered(0)).call,
  bridging: () => after(STATES.dialing(), answered(0)).call,
  unproven: () => after(STATES.dialing(), answered(0, true)).call,
  bridged: () => after(STATES.bridging(), joined(0)).call,
  ending: () => after(STATES.bridged(), deadline("duration")).call,
  ended: () => after(STATES.ending(), gone(INBOUND), gone(LEG(0)), gone(LEG(1))).call,
  "handed back": () => after(STATES.dialing(), commandFailed("CreateBridge", 500)).call,
};

/** Commands in short: `HangUp in 17`, `Originate 2 c`. */
export function brief(commands: readonly CallCommand[]): readonly string[] {
  return commands.map((command) => [command.type, ...details(command)].join(" "));
}

function details(command: CallCommand): readonly (string | number)[] {
  switch (command.type) {
    case "HangUp":
      return [nameOf(command.channel), command.cause];
    case "Originate":
      return [nameOf(command.channel), command.attempt.name];
    case "Dial":
      return [nameOf(command.channel), command.seconds];
    case "StartTimer":
      return [command.timer, command.seconds];
    case "SaveRecord":
    case "KeepRecord":
      return [command.record.end ?? (command.record.bridgedAt === null ? "received" : "bridged")];
    case "AddToBridge":
      return [...(command.caller === null ? [] : [nameOf(command.caller)]), nameOf(command.channel)];
    default:
      return "channel" in command ? [nameOf(command.channel)] : [];
  }
}

function nameOf(channel: string): string {
  return channel === INBOUND ? "in" : channel.slice(channel.lastIndexOf(".") + 1);
}
