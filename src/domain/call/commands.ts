import type { Attempt, CallRecord, E164, ResourceKey, RouteDecision } from "../types.ts";

/** `decision`: nobody decided; `silence`: nobody said that it rings; `ring`: nobody answered; `whisper`: heard enough; `proof`: neither usable nor gone; `duration`: talked long enough; `hangup`: channels that won't go. While ARI is away `ring` and `hangup` wait. */
export type TimerName = "decision" | "silence" | "ring" | "whisper" | "proof" | "duration" | "hangup";

/** What the machine wants done, in this order. */
export type CallCommand =
  | {
      readonly type: "Originate";
      /** Chosen by us before the request: the leg's events may overtake the answer. */
      readonly channel: string;
      readonly attempt: Attempt;
      /** Only made now; once `LegReady` tells that it is there it is put into the bridge and called by `Dial`. */
      readonly early: boolean;
      readonly callerId: RouteDecision["callerId"];
      /** Backstop in Asterisk itself, should the router die: seconds from dialling to a forced hang-up. */
      readonly absoluteTimeoutSeconds: number;
    }
  /** Calls the far end of a leg that was made early. `seconds` is Asterisk's own limit, should the router die. */
  | { readonly type: "Dial"; readonly channel: string; readonly seconds: number }
  /**
   * `early`: audio flows before the answer, and has to go through Asterisk's core all the time: when Asterisk begins to forward packets as
   * they are in the middle of a stream, their numbers jump, and some receivers go silent.
   */
  | { readonly type: "CreateBridge"; readonly bridge: string; readonly early: boolean }
  | {
      readonly type: "AddToBridge";
      readonly bridge: string;
      readonly channel: string;
      /** The caller's channel, when he is not there yet: one request puts him there first. */
      readonly caller: string | null;
    }
  | { readonly type: "DestroyBridge"; readonly bridge: string }
  /** 180 to the caller. */
  | { readonly type: "Ring"; readonly channel: string }
  | { readonly type: "Answer"; readonly channel: string }
  /** Plays `media` to this party alone; `Whispered` follows. */
  | { readonly type: "Whisper"; readonly channel: string; readonly media: string }
  | { readonly type: "StopWhisper"; readonly channel: string }
  /** `cause` as in Q.850; Asterisk makes the SIP status of it. */
  | { readonly type: "HangUp"; readonly channel: string; readonly cause: number }
  /** Back to the dialplan, which rings the pool's default destination. */
  | { readonly type: "Continue"; readonly channel: string; readonly pool: ResourceKey; readonly did: E164 }
  /** Replaces a running timer of the same name. All end with the call. */
  | { readonly type: "StartTimer"; readonly timer: TimerName; readonly seconds: number }
  | { readonly type: "SaveRecord"; readonly record: CallRecord }
  /** Keeps the record on the disk alone: `SaveRecord` follows, unless the router dies. */
  | { readonly type: "KeepRecord"; readonly record: CallRecord };
