import type { Leg } from "./legs.ts";
import type { WireMessage } from "./sip-message.ts";
import type { AudioReport } from "./tones.ts";

/** What happened to a call, as seen from the telephone network. */
export interface CallResult {
  readonly from: string;
  readonly to: string;
  /** Call-ID of the SIP dialog between carrier and product. */
  readonly callId: string;
  /** The responses to the INVITE that were on the wire, in order; milliseconds since the INVITE left. */
  readonly responses: readonly { readonly code: number; readonly reason: string; readonly atMs: number }[];
  readonly answered: boolean;
  /** Q.850 cause with which the caller's leg ended. */
  readonly hangupCause: number;
  /** Who sent BYE or CANCEL first; null when the call was refused. */
  readonly endedBy: "caller" | "product" | null;
  /** The destination that talked with the caller; null when none is known to. */
  readonly answeredBy: string | null;
  /** Null when there was no such leg. */
  readonly heardByCaller: AudioReport | null;
  readonly heardByAnswerer: AudioReport | null;
  readonly rtp: {
    readonly callerSent: RtpCount;
    readonly callerReceived: RtpCount;
    readonly answererSent: RtpCount;
    readonly answererReceived: RtpCount;
  };
}

/** Packets as RTCP counts them; bytes of audio in them (PCMU at 20 ms: 160 a packet). */
export interface RtpCount {
  readonly packets: number;
  readonly bytes: number;
}

const BYTES_A_PACKET = 160;

/** The header by which a call is found on the wire: two calls may have the same From and To at the same moment. */
export const REFERENCE = "X-Call-Reference";

/** The part of a result that the wire shows. */
export function wireEvidence(messages: readonly WireMessage[], reference: string): Pick<CallResult, "callId" | "responses" | "answered" | "endedBy"> {
  const invite = messages.find((message) => message.startLine.startsWith("INVITE ") && message.header(REFERENCE).includes(reference));
  const dialog = invite === undefined ? [] : messages.filter((message) => message.callId === invite.callId);
  const responses = dialog
    .filter((message) => message.cseq === invite?.cseq && message.direction === "received")
    .flatMap(({ status, startLine, atMs }) => (status === null ? [] : [{ code: status, reason: reasonOf(startLine), atMs: since(invite, atMs) }]));
  const end = dialog.find((message) => /^(BYE|CANCEL) /.test(message.startLine));
  return {
    callId: invite?.callId ?? "",
    responses,
    answered: responses.some(({ code }) => code >= 200 && code < 300),
    endedBy: end === undefined ? null : end.direction === "sent" ? "caller" : "product",
  };
}

function reasonOf(startLine: string): string {
  return startLine.split(" ").slice(2).join(" ");
}

/** Milliseconds with one decimal. */
function since(start: WireMessage | undefined, atMs: number): number {
  return Math.round((atMs - (start?.atMs ?? atMs)) * 10) / 10;
}

export function rtpEvidence(caller: Leg | undefined, answerer: Leg | undefined): CallResult["rtp"] {
  return {
    callerSent: count(caller?.rtp?.sent),
    callerReceived: count(caller?.rtp?.received),
    answererSent: count(answerer?.rtp?.sent),
    answererReceived: count(answerer?.rtp?.received),
  };
}

function count(packets = 0): RtpCount {
  return { packets, bytes: packets * BYTES_A_PACKET };
}
