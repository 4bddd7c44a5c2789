import { CAUSE } from "./q850.ts";
import type { CallEnd, LegResult, RouteDecision } from "./types.ts";

/**
 * What became of one leg, and whether the next destination may be tried. The one rule above all: nothing is ever dialled again
 * once a leg answered, and nobody's "no" is overruled.
 */

/** How a leg ended that nobody answered and nobody of ours hung up, as Asterisk reports it. */
export interface Hangup {
  /** ITU-T Q.850 cause. Asterisk maps SIP answers to it, several to one. */
  readonly q850: number;
  /** The SIP status of the far end, where it is known: more exact than the cause. */
  readonly sipStatus?: number;
}

/**
 * | result      | SIP                                     | Q.850 cause                   |
 * |-------------|-----------------------------------------|-------------------------------|
 * | busy        | 486 600                                 | 17                            |
 * | no-answer   | 480                                     | 19                            |
 * | cancelled   | 487                                     | 16 26                         |
 * | congestion  | 500 503 and other 5xx                   | 34 38 41 42 44 47             |
 * | declined    | 403 404 410 484 603 604 607 608         | 1 21 22 28: final             |
 * | unreachable | 401 402 407 408 502 504, transport, all others | 2 3 18 20 27 102, all others |
 *
 * A number that does not exist (404) and a carrier's refusal (403) count as declined: cause 21 can't tell them from a human's "no". Credentials or
 * credit that are refused (401, 402, 407) are the trunk's, and no callee's word.
 */
export function classifyHangup({ q850, sipStatus }: Hangup): LegResult {
  const bySip = sipStatus === undefined || sipStatus < 300 ? undefined : (BY_SIP.get(sipStatus) ?? bySipClass(sipStatus));
  return bySip ?? BY_CAUSE.get(q850) ?? "unreachable";
}

const BY_SIP: ReadonlyMap<number, LegResult> = new Map<number, LegResult>([
  ...([403, 404, 410, 484, 603, 604, 607, 608] as const).map((status) => [status, "declined"] as const),
  [486, "busy"],
  [600, "busy"],
  [480, "no-answer"],
  [487, "cancelled"],
  ...([401, 402, 407, 408, 502, 504] as const).map((status) => [status, "unreachable"] as const),
]);

/** 6xx answers speak for every place the callee could be reached at (RFC 3261 section 21.6). */
function bySipClass(status: number): LegResult {
  if (status >= 600) return "declined";
  return status >= 500 ? "congestion" : "unreachable";
}

const BY_CAUSE: ReadonlyMap<number, LegResult> = new Map<number, LegResult>([
  [CAUSE.unallocated, "declined"],
  [CAUSE.normal, "cancelled"], // before an answer
  [CAUSE.busy, "busy"],
  [CAUSE.noAnswer, "no-answer"],
  [CAUSE.rejected, "declined"],
  [CAUSE.changed, "declined"],
  [CAUSE.elsewhere, "cancelled"],
  [CAUSE.malformed, "declined"],
  ...([34, 38, 41, 42, 44, 47] as const).map((cause) => [cause, "congestion"] as const),
]);

type Going = Pick<RouteDecision, "onBusy" | "onNoAnswer" | "stickyFirst">;

/** May the next group of destinations be rung after this result of group `group`? Who is rung first because he knows the caller is rung besides the others. */
export function mayTryNext(decision: Going, group: number, result: LegResult): boolean {
  const isBesides = decision.stickyFirst && group === 0;
  switch (result) {
    case "answered":
    case "declined":
    case "cancelled":
      return false;
    case "busy":
      return isBesides || decision.onBusy === "Next";
    case "no-answer":
      return isBesides || decision.onNoAnswer === "Next";
    case "unreachable":
    case "congestion":
    case "not-tried":
      return true;
  }
}

/** Most telling first: what the caller is told when several legs of a group failed in different ways. */
const TELLING: readonly LegResult[] = ["answered", "declined", "busy", "no-answer", "congestion", "unreachable", "cancelled", "not-tried"];

/** One result for legs that rang together. A "no" of one of them is a "no": they are places of the same callee. */
export function groupResult(results: readonly LegResult[]): LegResult {
  return TELLING.find((result) => results.includes(result)) ?? "not-tried";
}

export type NextStep = { readonly type: "ring"; readonly group: number } | { readonly type: "end"; readonly end: CallEnd };

/**
 * After group `group` of the decision ended with `result`: ring the next one or end the call.
 * An answered leg is no failure: it ends as `completed` when it hangs up.
 */
export function nextStep(decision: Going & Pick<RouteDecision, "groups">, group: number, result: LegResult): NextStep {
  const next = group + 1;
  if (mayTryNext(decision, group, result) && next < decision.groups.length) return { type: "ring", group: next };
  return { type: "end", end: endOf(result) };
}

export function endOf(result: LegResult): CallEnd {
  switch (result) {
    case "answered":
      return "completed";
    case "cancelled":
      return "abandoned";
    case "not-tried":
      return "failed";
    case "busy":
    case "no-answer":
    case "unreachable":
    case "congestion":
    case "declined":
      return result;
  }
}
