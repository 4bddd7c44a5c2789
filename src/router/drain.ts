import { messageOf } from "../domain/errors.ts";
import type { Logger } from "../domain/ports.ts";
import { CAUSE } from "../domain/q850.ts";
import type { Telephony } from "../adapters/ari/telephony.ts";
import type { Calls } from "./calls.ts";
import type { RouterMetrics } from "./metrics.ts";
import type { RecordSink } from "./record-sink.ts";
import type { ServedCalls } from "./served-calls.ts";

export interface DrainReport {
  readonly draining: boolean;
  /** Channels that Asterisk holds, those of the dialplan's own calls included; null when it can't be asked. */
  readonly channels: number | null;
  /** Calls that this router sees to, whether Asterisk can be asked or not. */
  readonly calls: number;
  /** Call records that the database does not have yet, and files of them that the dialplan wrote. */
  readonly records: number;
}

export interface Drain {
  readonly draining: boolean;
  /** From now on new calls are refused; those that are here go on. There is no way back but a restart. */
  begin(): void;
  report(): Promise<DrainReport>;
  /** 503: the carrier tries another pod at once. Asterisk 22.10 has no way to add Retry-After: PJSIP_HEADER reaches requests only. */
  refuse(channel: string): void;
}

export interface DrainDeps {
  readonly telephony: Telephony;
  readonly calls: Calls;
  readonly records: Pick<RecordSink, "waiting">;
  readonly served: Pick<ServedCalls, "unread">;
  readonly metrics: RouterMetrics;
  readonly logger: Logger;
}

export function createDrain({ telephony, calls, records, served, metrics, logger }: DrainDeps): Drain {
  let draining = false;

  return {
    get draining() {
      return draining;
    },
    begin: () => {
      if (!draining) logger.info({ calls: calls.live }, "draining: new calls are refused, the others go on to their end");
      draining = true;
    },
    report: async () => {
      const channels = await telephony.channels().then(({ length }) => length, () => null);
      return { draining, channels, calls: calls.live, records: records.waiting + (await served.unread()) };
    },
    refuse: (channel) => {
      metrics.drainRefused.inc();
      telephony.hangUp(channel, CAUSE.congestion).catch((error: unknown) => logger.debug({ channel, error: messageOf(error) }, "a refused caller went by themselves"));
    },
  };
}
