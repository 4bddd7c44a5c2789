import { NOTHING_KNOWN } from "../domain/attribution.ts";
import { Coalescer } from "../domain/coalescer.ts";
import type { CallQuestion, Logger, RouterStore } from "../domain/ports.ts";
import type { CallContext } from "../domain/types.ts";
import { InTime } from "./in-time.ts";
import type { RouterMetrics } from "./metrics.ts";

export type LookUp = (input: Parameters<RouterStore["callContext"]>[0], logger: Logger) => Promise<CallContext>;

const UNAVAILABLE: CallContext = { ...NOTHING_KNOWN, attribution: "unavailable" };

/**
 * Asks who is calling.
 *
 * @returns a context with attribution `unavailable` when there was no answer in time
 */
export function createLookUp(store: Pick<RouterStore, "callContext">, inTime: InTime): LookUp {
  return async (input, logger) => (await inTime.ask(() => store.callContext(input), logger, "the caller could not be looked up")) ?? UNAVAILABLE;
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
  return createLookUp({ callContext: (question) => together.add(question) }, new InTime(withinMs + EVERY_MS, metrics));
}
