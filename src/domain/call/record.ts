import type { CallEnd, CallRecord, LegRecord } from "../types.ts";
import type { Call, Leg, Origin } from "./states.ts";

/** The rules did not ask who calls; the database was, and has not answered yet. */
export function isAttributionPending({ decision, context }: Call): boolean {
  return decision !== null && context === null;
}

/** The record as it stands. An adopted call has no origin and no record of ours. */
export function recordOf(call: Call, origin: Origin): CallRecord {
  return {
    id: call.id,
    pod: origin.pod,
    did: origin.did,
    pool: origin.pool,
    caller: origin.caller,
    receivedAt: origin.receivedAt,
    answeredAt: call.answeredAt,
    bridgedAt: call.bridgedAt,
    ...ending(call),
    ...attribution(call),
    rule: call.decision?.rule ?? null,
    answeredBy: answeredBy(call),
    bridge: call.bridgeMade ? call.bridge : null,
    legs: call.legs.map(legRecord),
    why: [...(call.decision?.why ?? []), ...call.notes],
  };
}

/** Who picked up in vain has answered nobody, and of a call whose record was lost nobody knows who it was. */
function answeredBy(call: Call): string | null {
  const winner = call.answeredAt === null ? undefined : call.legs.find((leg) => leg.answeredAt !== null && leg.destination !== "");
  return winner?.destination ?? null;
}

function ending(call: Call): { endedAt: Date | null; end: CallEnd | null; hangupCause: number | null } {
  return call.kind === "ended"
    ? { endedAt: call.endedAt, end: call.end, hangupCause: call.inbound.hangupCause ?? call.cause }
    : { endedAt: null, end: null, hangupCause: null };
}

/** Without an answer of the database nothing is claimed about who called. */
function attribution({ context }: Call): Pick<CallRecord, "attribution" | "prospect" | "mediaElement" | "attributes"> {
  return {
    attribution: context?.attribution ?? "unavailable",
    prospect: context?.prospect ?? null,
    mediaElement: context?.mediaElements[0] ?? null,
    attributes: context?.attributes ?? {},
  };
}

/** A leg that still rings has no end and no result yet; it stands in the record because it occupies its destination. */
function legRecord({ channel, destination, trunk, startedAt, answeredAt, endedAt, hangupCause, result }: Leg): LegRecord {
  return { channel, destination, trunk, startedAt, answeredAt, endedAt, hangupCause, result: result ?? "not-tried" };
}
