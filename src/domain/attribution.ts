import type { Attribution, CallContext, Uuid } from "./types.ts";

/** The last time a DID was lent. */
export interface LastLease {
  readonly prospect: Uuid;
  readonly leasedUntil: Date;
  /** Nobody else could be shown the number before then. */
  readonly freeAt: Date;
}

/** What the database knows about a DID when it is called. */
export interface AttributionFacts {
  readonly at: Date;
  /** The DID is the pool's shared overflow number. */
  readonly overflow: boolean;
  /** Null: never lent. */
  readonly last: LastLease | null;
  /** When the lease of the prospect before `last.prospect` ended (another person than `last`); null if there was none. */
  readonly previousLeasedUntil: Date | null;
  /** The prospect whom an earlier call of this caller to this DID was attributed to; null: withheld or never called. */
  readonly reachedBefore: Uuid | null;
  readonly windowSeconds: number;
}

export interface AttributionDecision {
  readonly attribution: Attribution;
  readonly prospect: Uuid | null;
}

/**
 * Whom a call is attributed to, if the database answers in time: else it is `unavailable` (src/router/lookup.ts). The first line that holds decides:
 *
 * | fact                                                                       | attribution | prospect        |
 * |----------------------------------------------------------------------------|-------------|-----------------|
 * | the DID is the overflow number, and no lease of before it was that lives   | overflow    | none            |
 * | the caller earlier reached somebody through this DID who isn't last holder | repeat      | whom he reached |
 * | never lent                                                                 | none        | none            |
 * | the lease lives                                                            | exclusive   | last holder     |
 * | the lease ended longer ago than the window                                 | none        | none            |
 * | the number still cools down: nobody else can have been shown it            | stale       | last holder     |
 * | another prospect's lease ended within the window                           | ambiguous   | last holder     |
 * | otherwise                                                                  | stale       | last holder     |
 *
 * A known caller goes before a live lease: who calls a second time has the number on the phone, not on a page.
 * An ambiguous call names the last holder as the best guess; the attribution says how little that is worth.
 */
export function attribute(facts: AttributionFacts): AttributionDecision {
  const { last, reachedBefore } = facts;
  if (facts.overflow && !isPromised(facts)) return { attribution: "overflow", prospect: null };
  if (reachedBefore !== null && reachedBefore !== last?.prospect) return { attribution: "repeat", prospect: reachedBefore };
  if (last === null) return { attribution: "none", prospect: null };
  if (isPromised(facts)) return { attribution: "exclusive", prospect: last.prospect };
  if (!within(facts, last.leasedUntil)) return { attribution: "none", prospect: null };
  return { attribution: isCertain(facts, last) ? "stale" : "ambiguous", prospect: last.prospect };
}

/** Nobody else can have been shown the number, or not within the window. */
function isCertain(facts: AttributionFacts, last: LastLease): boolean {
  return facts.at < last.freeAt || facts.previousLeasedUntil === null || !within(facts, facts.previousLeasedUntil);
}

function isPromised({ at, last }: AttributionFacts): boolean {
  return last !== null && at < last.leasedUntil;
}

/** The end of the window is still inside. */
function within(facts: AttributionFacts, leasedUntil: Date): boolean {
  return facts.at.getTime() - leasedUntil.getTime() <= facts.windowSeconds * 1000;
}

/** Of a number that was never shown to anybody, called for the first time. */
export const NOTHING_KNOWN: CallContext = {
  attribution: "none",
  prospect: null,
  mediaElements: [],
  attributes: {},
  repeatCaller: false,
  lastAnsweredBy: null,
  liveCalls: {},
};
