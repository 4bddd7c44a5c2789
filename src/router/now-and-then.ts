import { messageOf } from "../domain/errors.ts";
import type { Logger } from "../domain/ports.ts";

export interface NowAndThen {
  readonly everyMs: number;
  readonly logger: Logger;
  /** What is logged when it failed. */
  readonly failing: { readonly message: string; readonly fields: object };
}

export interface Repeated {
  /** Resolves when the last time is over. */
  stop(): Promise<void>;
}

/** Does something again and again, one at a time. A failure is said once, until it worked again. */
export function nowAndThen(work: () => Promise<void>, { everyMs, logger, failing }: NowAndThen): Repeated {
  let working: Promise<void> | undefined;
  let failed = false;
  const once = async () => {
    try {
      await work();
      failed = false;
    } catch (error) {
      logger[failed ? "debug" : "warn"]({ ...failing.fields, error: messageOf(error) }, failing.message);
      failed = true;
    }
  };
  const timer = setInterval(() => {
    working ??= once().finally(() => (working = undefined));
  }, everyMs);
  return {
    stop: async () => {
      clearInterval(timer);
      await working;
    },
  };
}
