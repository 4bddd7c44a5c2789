import type { CallContext, CallEnd, E164, LegResult, ResourceKey, RouteDecision, Why } from "../types.ts";

/**
 * An outbound leg. Its record closes (`endedAt`) when its fate is decided; `gone` follows when its channel is really no more.
 *
 * | the leg ...                                                      | result                              | hungUp | gone                 |
 * |------------------------------------------------------------------|-------------------------------------|--------|----------------------|
 * | is being made (early, not `dialled` yet) or called               | null                                | no     | no                   |
 * | answered, and is being connected or talks                        | answered                            | no     | no                   |
 * | ended by itself, or could not be made (`full`: for lack of room) | what its end says, or answered      | no     | yes                  |
 * | was made early and could not be called                           | unreachable                         | yes    | when its end is told |
 * | was given up: another answered, nobody did, or the call is over   | cancelled, no-answer, or answered   | yes    | when its end is told |
 *
 * Whether it is early never changes.
 */
export interface Leg {
  readonly channel: string;
  readonly destination: string;
  readonly trunk: ResourceKey;
  readonly startedAt: Date;
  readonly answeredAt: Date | null;
  readonly endedAt: Date | null;
  readonly result: LegResult | null;
  /** Q.850. */
  readonly hangupCause: number | null;
  /** What only this party hears before it is connected: an Asterisk media URI. */
  readonly whisper: string | null;
  /**
   * It is in the bridge from the start: what its side plays before it answers is heard, and Asterisk itself answers the caller when it
   * answers. Otherwise it joins after its answer.
   */
  readonly early: boolean;
  /** An early leg is made first, and then called: it was called. */
  readonly dialled: boolean;
  /** It may not have been called after all: Asterisk never answered. */
  readonly unsure: boolean;
  /** It was not dialled, because its destination has as many calls as it may. */
  readonly full: boolean;
  /** Its hang-up was asked for. */
  readonly hungUp: boolean;
  readonly gone: boolean;
}

export interface InboundLeg {
  readonly channel: string;
  /** Q.850. */
  readonly hangupCause: number | null;
  readonly hungUp: boolean;
  readonly gone: boolean;
}

/** Where a call came from. A call that was adopted after a restart has none: its record is not ours to write. */
export interface Origin {
  readonly pod: string;
  readonly did: E164;
  readonly pool: ResourceKey;
  /** null: withheld or not a telephone number. */
  readonly caller: E164 | null;
  readonly receivedAt: Date;
}

/** Whose default destination a caller can be given to. */
export type Home = Pick<Origin, "pool" | "did">;

interface CallData {
  readonly id: string;
  readonly origin: Origin | null;
  /** null: of an adopted call whose caller was answered, and is not given to anybody any more. */
  readonly home: Home | null;
  readonly inbound: InboundLeg;
  readonly bridge: string;
  /** The bridge was asked for, the caller goes or went into it, and it has to be taken away at the end. */
  readonly bridgeMade: boolean;
  /** The caller was told that it rings. */
  readonly ringing: boolean;
  readonly legs: readonly Leg[];
  /** null: not known yet, or never asked (of a call that was adopted or could not be decided). */
  readonly context: CallContext | null;
  readonly decision: RouteDecision | null;
  /** When the caller was answered: who picks up may hear a whisper before that, or be about to be hung up. */
  readonly answeredAt: Date | null;
  readonly bridgedAt: Date | null;
  /** What the router has to add to the decision's own explanation. */
  readonly notes: readonly Why[];
}

/** Claimed; the look-up and the decision are pending. Nobody was dialled. Does not end by itself: the `decision` timer runs. */
export interface Received extends CallData {
  readonly kind: "received";
}

/** The legs of `decision.groups[group]` are being called. Does not end by itself: the `ring` timer runs. */
export interface Dialing extends CallData {
  readonly kind: "dialing";
  readonly decision: RouteDecision;
  readonly group: number;
}

/** `winner` answered and is being connected. From here on nobody is dialled any more. */
export interface Bridging extends CallData {
  readonly kind: "bridging";
  readonly winner: string;
  /** The winner hears its whisper, the caller still hears ringing. Does not end by itself: the `whisper` timer runs. */
  readonly whispering: boolean;
  /**
   * Nobody saw the winner enter the application: it may be about to be hung up, because no router was connected when it answered. So it
   * is joined first, and the caller answered when that was done. Does not end by itself: the `proof` timer runs once it is not whispering.
   */
  readonly unproven: boolean;
}

/** Both parties hear each other. Does not end by itself: the `duration` timer runs (not for an adopted call). */
export interface Bridged extends CallData {
  readonly kind: "bridged";
  readonly winner: string;
}

/**
 * The outcome stands, hang-ups are on their way. The bridge stays until the channels are gone: deleting it at once
 * would overwrite the hang-up cause. Ends by itself: the `hangup` timer runs.
 */
export interface Ending extends CallData {
  readonly kind: "ending";
  readonly end: CallEnd;
  readonly cause: number;
  readonly endedAt: Date;
  /** The caller was given back to the dialplan, which rings the default destination. */
  readonly handedBack: boolean;
  /** That was asked for, and Asterisk's answer may be lost. */
  readonly unsure: boolean;
}

/** Final. The last record was written, no channel and no bridge is left. */
export interface Ended extends CallData {
  readonly kind: "ended";
  readonly end: CallEnd;
  readonly cause: number;
  readonly endedAt: Date;
}

export type Call = Received | Dialing | Bridging | Bridged | Ending | Ended;
