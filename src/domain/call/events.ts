import type { CallReason } from "../call-reasons.ts";
import type { CallContext, CallRecord, RouteDecision } from "../types.ts";
import type { CallCommand, TimerName } from "./commands.ts";

/** What happens to a call. Channels are told apart by id: the inbound one or one of the legs. */
export type CallEvent = { readonly at: Date } & (
  /** `context` is null when the rules did not ask for it; `Attributed` follows. */
  | { readonly type: "Decided"; readonly context: CallContext | null; readonly decision: RouteDecision }
  /** Who calls, as far as the database knows; of a call that was decided without. */
  | { readonly type: "Attributed"; readonly context: CallContext }
  /** There is nothing to decide by; the dialplan's default has to do. */
  | { readonly type: "Undecidable"; readonly reason: CallReason; readonly message: string }
  /** The record of a call that was adopted. */
  | { readonly type: "Recognised"; readonly record: CallRecord }
  /** The router ends, and nobody would connect who answers from now on. */
  | { readonly type: "Stopping" }
  /** A leg that was made early is there and can be called. */
  | { readonly type: "LegReady"; readonly channel: string }
  | { readonly type: "LegRinging"; readonly channel: string }
  /** The far end answered; a leg that is not early is not to be used before its `LegAnswered`. */
  | { readonly type: "LegUp"; readonly channel: string }
  /** `unproven`: found up after an outage. When it answered while no router was connected, Asterisk is about to hang it up. */
  | { readonly type: "LegAnswered"; readonly channel: string; readonly unproven?: boolean }
  /**
   * Hung up by its party, ended by Asterisk, or found missing. The SIP status is there when Asterisk told it.
   * `unsure`: what was asked for to connect the two was never answered. `unanswered`: a caller who could not be answered any more.
   */
  | {
      readonly type: "ChannelGone";
      readonly channel: string;
      readonly cause: number | null;
      readonly sipStatus: number | null;
      readonly unsure?: boolean;
      readonly unanswered?: boolean;
    }
  /** Hung up; its end follows in a moment. */
  | { readonly type: "HangingUp"; readonly channel: string; readonly cause: number | null; readonly sipStatus: number | null }
  /** The whisper was heard to its end, or could not be played. */
  | { readonly type: "Whispered"; readonly channel: string }
  /** `AddToBridge` was done. */
  | { readonly type: "Joined"; readonly channel: string }
  | { readonly type: "CommandFailed"; readonly command: CallCommand["type"]; readonly channel: string; readonly failure: CommandFailure }
  | { readonly type: "Deadline"; readonly timer: TimerName }
  /** The timer has run out, and waits for ARI, which is away; told once. */
  | { readonly type: "Delayed"; readonly timer: TimerName }
  /** Nothing is left of what it held. */
  | { readonly type: "AsteriskRestarted" }
  /** ARI was away and is back: what Asterisk holds now. Events in between are lost for ever. `inBridge` is null where nobody looked. */
  | { readonly type: "Resynced"; readonly channels: ReadonlyMap<string, SeenChannel>; readonly inBridge: ReadonlySet<string> | null }
);

/** An event as who tells of it knows it; when it came is added where it is dispatched to its call. */
export type UntimedEvent = CallEvent extends infer E ? (E extends CallEvent ? Omit<E, "at"> : never) : never;

/** Why a command was not carried out, as far as that is known. */
export type CommandFailure =
  /** No answer came in time: it may have been carried out all the same. */
  | { readonly kind: "unanswered" }
  /** A limit of ours is reached, which counts as a far end without capacity. `full`: it is the destination that has as many calls as it may. */
  | { readonly kind: "limit"; readonly full: boolean }
  /** Asterisk was never asked, because of ourselves. */
  | { readonly kind: "not asked" }
  /** Asterisk's answer. `status` is ARI's. */
  | { readonly kind: "refused"; readonly status: number };

export interface SeenChannel {
  readonly up: boolean;
  /** It was not in Asterisk's list, and is too young to be missing. */
  readonly young?: boolean;
}
