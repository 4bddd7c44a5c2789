import fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { CallCommand, TimerName } from "../../../src/domain/call/commands.ts";
import type { Call } from "../../../src/domain/call/states.ts";
import { step } from "../../../src/domain/call/step.ts";
import { facts } from "../builders.ts";
import { aDecision, arrived, AT, commandFailed, decided, decidedAhead, type Happening, INBOUND, LEG, whispering } from "./builders.ts";

const CHANNELS = [INBOUND, LEG(0), LEG(1), LEG(2), LEG(3), "stranger"];
const channel = fc.constantFrom(...CHANNELS);
const channelSet = fc.subarray(CHANNELS);

const decision = fc
  .record({
    groups: fc.array(fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 2 }), { maxLength: 3 }),
    onBusy: fc.constantFrom("Next" as const, "Stop" as const),
    onNoAnswer: fc.constantFrom("Next" as const, "Stop" as const),
    stickyFirst: fc.boolean(),
    earlyMedia: fc.boolean(),
    outcome: fc.constantFrom("route" as const, "route" as const, "route" as const, "refuse" as const),
  })
  .chain((of) => fc.boolean().map((whispers) => ({ ...of, whispers })))
  .map(({ groups, whispers, ...of }) => (whispers ? whispering(aDecision(groups, of)) : aDecision(groups, of)));

const happening: fc.Arbitrary<Happening> = fc.oneof(
  decision.map(decided),
  decision.map(decidedAhead),
  fc.constant<Happening>({ type: "Attributed", context: facts().context }),
  fc.constant<Happening>({ type: "Undecidable", reason: "PoolUnknown", message: "no pool" }),
  fc.constant<Happening>({ type: "Stopping" }),
  channel.map((id): Happening => ({ type: "LegReady", channel: id })),
  channel.map((id): Happening => ({ type: "LegRinging", channel: id })),
  channel.map((id): Happening => ({ type: "LegUp", channel: id })),
  fc.tuple(channel, fc.boolean()).map(([id, unproven]): Happening => ({ type: "LegAnswered", channel: id, unproven })),
  channel.map((id): Happening => ({ type: "Whispered", channel: id })),
  channel.map((id): Happening => ({ type: "Joined", channel: id })),
  fc
    .tuple(channel, fc.option(fc.constantFrom(0, 1, 16, 17, 19, 21, 27, 34)), fc.option(fc.constantFrom(404, 408, 480, 486, 487, 503, 603)))
    .chain(([id, cause, sipStatus]) => fc.constantFrom<Happening>({ type: "ChannelGone", channel: id, cause, sipStatus }, { type: "HangingUp", channel: id, cause, sipStatus })),
  fc
    .tuple(fc.constantFrom<CallCommand["type"]>("Originate", "Dial", "CreateBridge", "AddToBridge", "Answer", "Ring", "Whisper", "HangUp", "Continue", "DestroyBridge"), fc.constantFrom(0, 404, 409, 500), channel)
    .map(([command, status, id]) => commandFailed(command, status, id)),
  fc.constantFrom<TimerName>("decision", "silence", "ring", "whisper", "proof", "duration", "hangup").chain((timer) => fc.constantFrom<Happening>({ type: "Deadline", timer }, { type: "Delayed", timer })),
  fc.tuple(channelSet, fc.constantFrom({ up: true }, { up: false }, { up: false, young: true }), fc.option(channelSet)).map(([there, seen, members]): Happening => {
    return { type: "Resynced", channels: new Map(there.map((id) => [id, seen])), inBridge: members === null ? null : new Set(members) };
  }),
);

interface Trace {
  call: Call;
  /** Everything that happened and was wanted, in order. */
  readonly log: ({ readonly event: Happening } | { readonly command: CallCommand; readonly kindBefore: Call["kind"] })[];
  readonly timers: Set<TimerName>;
}

function begin(): Trace {
  const [call, commands] = arrived();
  const trace: Trace = { call, log: [], timers: new Set() };
  carryOut(trace, commands, call.kind);
  return trace;
}

function feed(trace: Trace, event: Happening): void {
  const kindBefore = trace.call.kind;
  const [call, commands] = step(trace.call, { ...event, at: AT });
  trace.log.push({ event });
  if (event.type === "Deadline") trace.timers.delete(event.timer);
  carryOut(trace, commands, kindBefore);
  trace.call = call;
}

function carryOut(trace: Trace, commands: readonly CallCommand[], kindBefore: Call["kind"]): void {
  for (const command of commands) {
    trace.log.push({ command, kindBefore });
    if (command.type === "StartTimer") trace.timers.add(command.timer);
  }
}

/** Nothing happens any more but the timers that were started. */
function runTimersOut(trace: Trace): number {
  let fired = 0;
  while (trace.call.kind !== "ended" && fired < 20) {
    const [timer] = trace.timers;
    if (timer === undefined) break;
    feed(trace, { type: "Deadline", timer });
    fired += 1;
  }
  return fired;
}

function commandsOf(trace: Trace): readonly CallCommand[] {
  return trace.log.flatMap((entry) => ("command" in entry ? [entry.command] : []));
}

function isDelayed(entry: Trace["log"][number] | undefined): boolean {
  return entry !== undefined && "event" in entry && entry.event.type === "Delayed";
}

const sequences = fc.array(happening, { maxLength: 25 });
/** Most random calls end at once; these get as far as ringing first. */
const dialled = fc.tuple(decision.filter(({ groups, outcome }) => groups.length > 0 && outcome === "route"), fc.boolean(), sequences).map(([first, ahead, rest]) => [(ahead ? decidedAhead : decided)(first), ...rest]);
const runs = fc.oneof(sequences, dialled, dialled);

describe("whatever happens in whatever order", () => {
  test("a call ends by its own timers, with exactly one final record, the last thing it wants", () => {
    fc.assert(
      fc.property(runs, (events) => {
        const trace = begin();
        for (const event of events) feed(trace, event);
        runTimersOut(trace);
        expect(trace.call.kind).toBe("ended");
        // What is saved while ARI is away is saved again.
        const finals = trace.log.filter((entry, index) => "command" in entry && entry.command.type === "SaveRecord" && entry.command.record.endedAt !== null && !isDelayed(trace.log[index - 1]));
        expect(finals).toHaveLength(1);
      }),
      { numRuns: 3_000 },
    );
  });

  test("every leg that was dialled is gone or was hung up when the call is over", () => {
    fc.assert(
      fc.property(runs, (events) => {
        const trace = begin();
        for (const event of events) feed(trace, event);
        runTimersOut(trace);
        const dialledLegs = commandsOf(trace).flatMap((command) => (command.type === "Originate" ? [command.channel] : []));
        for (const leg of dialledLegs) {
          expect(settled(trace, leg)).toBe(true);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test("once somebody answered or the call ends, no other leg goes on ringing", () => {
    fc.assert(
      fc.property(runs, (events) => {
        const trace = begin();
        for (const event of events) {
          feed(trace, event);
          expect(stillRinging(trace)).toEqual([]);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test("nobody is dialled after a leg answered, and no leg id is used twice", () => {
    fc.assert(
      fc.property(runs, (events) => {
        const trace = begin();
        for (const event of events) feed(trace, event);
        runTimersOut(trace);
        const late = trace.log.some((entry) => "command" in entry && dials(entry.command) && !["received", "dialing"].includes(entry.kindBefore));
        expect(late).toBe(false);
        const answer = trace.log.findIndex((entry) => "command" in entry && (entry.command.type === "Answer" || (entry.command.type === "StartTimer" && entry.command.timer === "duration")));
        const after = answer < 0 ? [] : trace.log.slice(answer);
        expect(after.some((entry) => "command" in entry && dials(entry.command))).toBe(false);
        const ids = commandsOf(trace).flatMap((command) => (command.type === "Originate" ? [command.channel] : []));
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: 3_000 },
    );
  });

  test("a bridge that was asked for is taken away, and a record's times are in order", () => {
    fc.assert(
      fc.property(runs, (events) => {
        const trace = begin();
        for (const event of events) feed(trace, event);
        runTimersOut(trace);
        const commands = commandsOf(trace);
        const made = commands.some(({ type }) => type === "CreateBridge");
        expect(commands.filter(({ type }) => type === "DestroyBridge")).toHaveLength(made ? 1 : 0);
        const { answeredAt, bridgedAt } = trace.call;
        expect(bridgedAt === null || answeredAt !== null).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

function dials({ type }: CallCommand): boolean {
  return type === "Originate" || type === "Dial";
}

function stillRinging({ call, log }: Trace): readonly string[] {
  if (call.kind === "received" || call.kind === "dialing") return [];
  const winner = call.kind === "bridging" || call.kind === "bridged" ? call.winner : undefined;
  return call.legs.map((leg) => leg.channel).filter((leg) => leg !== winner && !settled({ call, log, timers: new Set() }, leg));
}

/** After it was dialled: seen gone, or hung up, or refused by Asterisk. */
function settled(trace: Trace, leg: string): boolean {
  const dialledAt = trace.log.findIndex((entry) => "command" in entry && entry.command.type === "Originate" && entry.command.channel === leg);
  return trace.log.slice(dialledAt).some((entry) => {
    if ("command" in entry) return entry.command.type === "HangUp" && entry.command.channel === leg;
    const { event } = entry;
    if (event.type === "Resynced") return !event.channels.has(leg);
    if (event.type === "CommandFailed") return event.command === "Originate" && event.channel === leg && event.failure.kind !== "unanswered";
    return event.type === "ChannelGone" && event.channel === leg;
  });
}
