import { Registry } from "prom-client";

import { Calls, type CallsDeps } from "../../src/router/calls.ts";
import { routerMetrics } from "../../src/router/metrics.ts";
import { silent } from "../harness/logger.ts";

const nothing = (): undefined => undefined;

/** Calls beside an Asterisk that does at once whatever it is asked, and a disk and a database that nobody looks at. */
export function testCalls(over: Partial<CallsDeps> = {}): Calls {
  return new Calls({
    clock: { now: () => new Date() },
    logger: silent,
    metrics: routerMetrics(new Registry()),
    perform: () => Promise.resolve(),
    save: nothing,
    keep: nothing,
    left: nothing,
    connected: () => true,
    ...over,
  });
}
