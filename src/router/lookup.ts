import { NOTHING_KNOWN } from "../domain/attribution.ts";
import { messageOf } from "../domain/errors.ts";
import { Coalescer } from "../domain/coalescer.ts";
import type { CallQuestion, Logger, RouterStore } from "../domain/ports.ts";
import type { CallContext } from "../domain/types.ts";
import type { RouterMetrics } from "./metrics.ts";

export type LookUp = (input: Parameters<RouterStore["callContext"]>[0], logger: Logger) => Promise<CallContext>;

/**
 * Asks who is calling, for at most `withinMs`. A database that is slow or gone costs the attribution, never the call.
 *
 * A database that answers slower than calls come in is not asked any more until it has caught up: questions whose callers have
 * long been routed would keep it, and the connections, from the next ones.
 *
 * @returns a context with attribution `unavailable` when there was no answer in time
 */
export function createLookUp(store: Pick<RouterStore, "callContext">, withinMs: number, metrics: RouterMetrics): LookUp {
  let unattributed = 0;
  let late = 0;
  return async (input, logger) => {
    if (late >= MAX_LATE) {
      metrics.lookups.inc({ outcome: "shed" });
      unattributed += 1;
      return unavailable(unattributed);
    }
    const answer = store.callContext(input).catch((error: unknown) => {
      logger.warn({ error: messageOf(error) }, "the caller could not be looked up");
      return "failed" as const;
    });
    const context = await within(withinMs, answer);
    if (typeof context !== "string") {
      metrics.lookups.inc({ outcome: "answered" });
      return context;
    }
    metrics.lookups.inc({ outcome: context });
    if (context === "late") {
      late += 1;
      void answer.then(() => (late -= 1));
    }
    unattributed += 1;
    return unavailable(unattributed);
  };
}

/** At 100 calls/s five travel together. */
const EVERY_MS = 50;
const AT_ONCE = 200;
/** Questions that come while answers are late are late as well, and soon none is asked any more. */
const MAX_WAITING = 1_000;
/** A database that takes 200 ms an answer makes nobody wait for the batch before. */
const PARALLEL = 4;

/**
 * For calls that are on their way already: the first is asked for at once, those that follow within 50 ms together. Nobody waits for it but
 * the record.
 */
export function createLaterLookUp(store: Pick<RouterStore, "callContexts">, withinMs: number, metrics: RouterMetrics): LookUp {
  const together = new Coalescer<CallQuestion, CallContext>((questions) => store.callContexts(questions), { maxBatch: AT_ONCE, maxWaiting: MAX_WAITING, parallel: PARALLEL, everyMs: EVERY_MS });
  return createLookUp({ callContext: (question) => together.add(question) }, withinMs + EVERY_MS, metrics);
}

/** Below the number of connections, so that records still find one. */
const MAX_LATE = 5;

/** @param sequence counts such calls, so that round robin goes on without the database */
function unavailable(sequence: number): CallContext {
  return { ...NOTHING_KNOWN, attribution: "unavailable", sequence };
}

function within<T>(ms: number, promise: Promise<T>): Promise<T | "late"> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve("late"), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
