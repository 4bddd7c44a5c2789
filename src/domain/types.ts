import type { RecordedReason } from "./call-reasons.ts";

/**
 * The words every part shares.
 *
 * - **DID**: a telephone number that callers dial to reach us, in E.164 with "+" (ITU-T E.164).
 * - **Prospect**: a person as far as we know one; its id is the persistent unique identifier (PUID).
 * - **Device**: one browser or app of a prospect. One prospect may have several.
 * - **Media element**: what a number is displayed with (an advertisement, a page section, an app screen).
 * - **Lease**: a DID is a prospect's alone until `leasedUntil`; then it cools down until `freeAt`.
 * - **Association**: the stored fact "this DID was shown to this prospect with this media element".
 * - **Leg**: one SIP dialog of a call. The inbound leg comes from the carrier, outbound legs go to destinations.
 */

/** `+` and 7 to 15 digits, the first not 0. Only `parseE164` makes one. */
export type E164 = string & { readonly __brand: "E164" };

/** `namespace/name` of a resource. */
export type ResourceKey = string;

/** Lower case. Of version 7 for prospects and devices, of version 8 where it follows from something else; older ones are of version 4 (docs/decisions/0032). */
export type Uuid = string;

// ---------------------------------------------------------------- attribution

/**
 * How sure we are who is calling a DID:
 * - `exclusive`  the lease is alive: nobody else can have seen the number now
 * - `stale`      the lease ended, the number was not handed on since, still inside the attribution window
 * - `repeat`     this caller earlier reached this number's earlier prospect
 * - `overflow`   the pool's shared overflow number
 * - `ambiguous`  handed on since, within the attribution window: could be either
 * - `none`       never shown to anybody, or too long ago
 * - `unavailable` the database could not be asked in time
 */
export const ATTRIBUTIONS = ["exclusive", "stale", "repeat", "overflow", "ambiguous", "none", "unavailable"] as const;
export type Attribution = (typeof ATTRIBUTIONS)[number];

// ---------------------------------------------------------------- handing out numbers

/** One prospect asks for the DID to show with one media element. */
export interface ClaimRequest {
  readonly pool: ResourceKey;
  /** Who it is when the device is new; otherwise the prospect that the device belongs to now counts, which the result names. */
  readonly prospect: Uuid;
  readonly device: Uuid;
  readonly mediaElement: string;
  /** Session attributes (utm_source, gclid, page ...): bounded and parsed by the caller. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Where the pool asked for names others by the visit's source. */
  readonly choice?: PoolChoice | undefined;
}

/** Which pool lends the number, unless the prospect holds one of a candidate: see domain/source-pool.ts. */
export interface PoolChoice {
  /** What the visit's source says; null when it says nothing. */
  readonly matched: ResourceKey | null;
  /** The pool asked for and all that its sources name. */
  readonly candidates: readonly ResourceKey[];
}

/** `prospect` is who asked, after merges and log-ins. */
export type ClaimResult = { readonly prospect: Uuid } & (
  | {
      readonly status: "assigned";
      readonly did: E164;
      /** The promise: nobody else is shown this DID before then. */
      readonly leasedUntil: Date;
      /** True when the prospect held the DID already. */
      readonly renewed: boolean;
      /** The other devices of the prospect found online when this claim was decided (claim step 5). */
      readonly otherDevicesOnline: readonly Uuid[];
      readonly determinedAt: Date;
      /** Whose number it is, where the request had a choice; else the pool asked for. */
      readonly lentBy?: ResourceKey;
    }
  | { readonly status: "overflow"; readonly did: E164; readonly lentBy?: ResourceKey } // exhausted: shared and unattributed
  | { readonly status: "unchanged"; readonly reason: "Exhausted" | "UnknownPool" } // the page keeps its own number
);

// ---------------------------------------------------------------- calls

/** What the database knows about a call that just came in. One bounded query. */
export interface CallContext {
  readonly attribution: Attribution;
  readonly prospect: Uuid | null;
  /** Media elements the DID was shown with to that prospect, most recent first. */
  readonly mediaElements: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
  /** This caller had an answered call to the same pool before. */
  readonly repeatCaller: boolean;
  /** The destination (number or SIP URI) that answered this caller last in this pool. */
  readonly lastAnsweredBy: string | null;
  /** Calls in progress by destination (number or SIP URI), over all pods. */
  readonly liveCalls: Readonly<Record<string, number>>;
}

/** What is known of an inbound call when the rules are asked. */
export interface CallFacts {
  readonly did: E164;
  readonly pool: ResourceKey;
  /** null: withheld or not a telephone number. */
  readonly caller: E164 | null;
  readonly at: Date;
  readonly context: CallContext;
  /** How many calls each RoundRobin rule has taken before; 0 for one that is not named. */
  readonly turns: Readonly<Record<ResourceKey, number>>;
  /** Uniform in [0, 1): the only randomness a decision may use (weighted choice). */
  readonly random: number;
}

/** One destination to ring. */
export interface Attempt {
  /** Destination name of the rule, or "default". */
  readonly name: string;
  /** E.164 number or SIP URI. */
  readonly destination: string;
  readonly trunk: ResourceKey;
  readonly ringTimeoutSeconds: number;
  readonly maxConcurrentCalls: number | null;
  readonly whisper: string | null;
}

/** One line of the answer to "why did this call go there?". */
export interface Why {
  readonly rule: ResourceKey | null;
  readonly matched: boolean;
  readonly reason: RecordedReason;
  readonly message: string;
}

export interface RouteDecision {
  readonly outcome: "route" | "refuse";
  /** The rule that matched; null when the pool's default destination is used. */
  readonly rule: ResourceKey | null;
  /** Groups in ring order; the legs of one group ring at the same time. */
  readonly groups: readonly (readonly Attempt[])[];
  /** The first group is who answered this caller last; the others follow as they would have without. */
  readonly stickyFirst: boolean;
  /** What the far end is shown. */
  readonly callerId: { readonly type: "Caller" | "Tracking" } | { readonly type: "Fixed"; readonly number: E164 };
  readonly onBusy: "Next" | "Stop";
  readonly onNoAnswer: "Next" | "Stop";
  /** What a destination's side plays before it answers is heard by the caller. */
  readonly earlyMedia: boolean;
  readonly maxCallSeconds: number;
  /** Rung when all destinations of the rule turn out to be at their limit of calls; null: nobody. */
  readonly whenFull: Attempt | null;
  readonly why: readonly Why[];
}

export const LEG_RESULTS = ["answered", "busy", "no-answer", "unreachable", "congestion", "declined", "cancelled", "not-tried"] as const;
export type LegResult = (typeof LEG_RESULTS)[number];

/** One attempt to reach a destination, as recorded. */
export interface LegRecord {
  readonly channel: string;
  readonly destination: string;
  readonly trunk: ResourceKey;
  readonly startedAt: Date;
  readonly answeredAt: Date | null;
  readonly endedAt: Date | null;
  readonly result: LegResult;
  /** Q.850 cause (ITU-T Q.850), null while the leg lives. */
  readonly hangupCause: number | null;
}

export const CALL_ENDS = ["completed", "busy", "no-answer", "unreachable", "congestion", "declined", "abandoned", "refused", "failed", "max-duration"] as const;
export type CallEnd = (typeof CALL_ENDS)[number];

/** One truthful record per call. Written when the call arrives, when it is bridged and when it ends; replays are idempotent by `id`. */
export interface CallRecord {
  /** Chosen by the router: unique over pods. */
  readonly id: string;
  readonly pod: string;
  readonly did: E164;
  readonly pool: ResourceKey;
  readonly caller: string | null;
  readonly receivedAt: Date;
  readonly answeredAt: Date | null;
  readonly bridgedAt: Date | null;
  readonly endedAt: Date | null;
  readonly end: CallEnd | null;
  readonly hangupCause: number | null;
  readonly attribution: Attribution;
  readonly prospect: Uuid | null;
  readonly mediaElement: string | null;
  readonly attributes: Readonly<Record<string, string>>;
  readonly rule: ResourceKey | null;
  readonly answeredBy: string | null;
  readonly bridge: string | null;
  readonly legs: readonly LegRecord[];
  readonly why: readonly Why[];
}
