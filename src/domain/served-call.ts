import { BLOCKED_STATUS } from "./asterisk-names.ts";
import { callId } from "./call/ids.ts";
import { parseCaller, parseE164 } from "./e164.ts";
import { CallReason, note } from "./call-reasons.ts";
import { classifyHangup, endOf } from "./failover.ts";
import type { CallEnd, CallRecord, E164, LegResult } from "./types.ts";

/**
 * A line of the hang-up handler that the dialplan runs for calls that it serves by itself (see dialplan.ts): version, channel, Call-ID
 * (base64), pool, destination, trunk, DID, presentation of the caller's number, that number, when the default destination was turned to and when the call ended (milliseconds of the
 * epoch), DIALSTATUS, how long it was answered (milliseconds), Q.850 cause. The caller's texts are Call-ID and number.
 */
const LINE =
  /^1\|(?<channel>[^|]{1,150})\|(?<protocolId>[A-Za-z0-9+/=]*)\|(?<pool>[a-z0-9./-]{3,400})\|(?<destination>[^|]{1,500})\|(?<trunk>[a-z0-9./-]{3,400})\|(?<did>\+[0-9]{1,15})\|(?<presentation>[a-z_]{0,40})\|(?<caller>[+0-9]{0,32})\|(?<began>[0-9]{13})\|(?<ended>[0-9]{13})\|(?<status>[A-Z]*)\|(?<talked>[0-9]{0,10})\|(?<cause>[0-9]{0,3})$/;

const ENDS: Readonly<Record<string, { readonly end: CallEnd; readonly result: LegResult }>> = {
  ANSWER: { end: "completed", result: "answered" },
  BUSY: { end: "busy", result: "busy" },
  NOANSWER: { end: "no-answer", result: "no-answer" },
  CANCEL: { end: "abandoned", result: "cancelled" },
  CONGESTION: { end: "congestion", result: "congestion" },
};
/** Dial() has one word for whoever says no, can't take calls or isn't there: the cause tells them apart. */
const BY_CAUSE = "CHANUNAVAIL";
/** Hung up before Dial() said anything: no trunk to dial over. */
const NOT_DIALLED = { end: "congestion", result: "not-tried" } as const;

/** The pool refuses this caller: nobody was to be rung. */
const BY_POOL: Pick<CallRecord, "end" | "legs" | "why"> = {
  end: "refused",
  legs: [],
  why: [{ rule: null, matched: true, reason: CallReason.CallerBlocked, message: "no router had the call: the dialplan refused it, since the pool refuses callers of this number" }],
};

export const BY_DIALPLAN = note(CallReason.ServedByDialplan, "no router had the call: the dialplan rang the pool's default destination");

/** What the groups of `LINE` hold: all of them are there when it fits. */
type Fields = Readonly<Record<"channel" | "protocolId" | "pool" | "destination" | "trunk" | "did" | "presentation" | "caller" | "began" | "ended" | "status" | "talked" | "cause", string>>;

/**
 * The record of such a call. Who it was is not claimed: the lease of the number may be another one by now.
 *
 * @param pod where it was
 * @returns undefined for a line that is cut off or not as the dialplan writes it
 */
export function parseServedCall(line: string, pod: string): CallRecord | undefined {
  const fields = LINE.exec(line)?.groups as Fields | undefined;
  const did = parseE164(fields?.did ?? "");
  return fields === undefined || did === null ? undefined : recordOf(fields, pod, did);
}

function recordOf(fields: Fields, pod: string, did: E164): CallRecord {
  const { pool, destination, trunk } = fields;
  const id = callId({ id: fields.channel, protocolId: Buffer.from(fields.protocolId, "base64").toString("utf8") });
  const [began, ended] = [new Date(Number(fields.began)), new Date(Number(fields.ended))];
  const hangupCause = causeOf(fields.cause);
  const { end, result } = howItEnded(fields.status, hangupCause);
  const answeredAt = end === "completed" ? new Date(Math.max(ended.getTime() - Number(fields.talked), began.getTime())) : null;
  return {
    id,
    pod,
    did,
    pool,
    caller: fields.presentation.startsWith("allowed") ? parseCaller(fields.caller) : null,
    receivedAt: began,
    answeredAt,
    bridgedAt: answeredAt,
    endedAt: ended,
    end,
    hangupCause,
    attribution: "unavailable",
    prospect: null,
    mediaElement: null,
    attributes: {},
    rule: null,
    answeredBy: answeredAt === null ? null : destination,
    bridge: null,
    legs: [{ channel: `${id}.default`, destination, trunk, startedAt: began, answeredAt, endedAt: ended, result, hangupCause }],
    why: [BY_DIALPLAN],
    ...(fields.status === BLOCKED_STATUS ? BY_POOL : {}),
  };
}

function howItEnded(status: string, cause: number | null): Pick<CallRecord, "end"> & { readonly result: LegResult } {
  if (status !== BY_CAUSE) return ENDS[status] ?? NOT_DIALLED;
  const result = classifyHangup({ q850: cause ?? 0 });
  return { end: endOf(result), result };
}

/** Q.850 has 7 bits. */
function causeOf(text: string): number | null {
  return text === "" || Number(text) > 127 ? null : Number(text);
}
