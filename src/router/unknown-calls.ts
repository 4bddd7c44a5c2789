import type { Counter } from "prom-client";

export interface UnknownCalls {
  /** To be asked now and then, and before every reload. */
  count(): Promise<void>;
  /** Asterisk begins anew. */
  reloaded(): void;
}

/**
 * The dialplan refuses calls to numbers of nobody by itself and counts them in Asterisk, where a reload takes the count away; here it goes on.
 *
 * @param read the count in Asterisk
 */
export function countUnknownCalls(read: () => Promise<number>, counter: Pick<Counter, "inc">): UnknownCalls {
  let last = 0;
  return {
    count: async () => {
      const now = await read();
      counter.inc(now >= last ? now - last : now);
      last = now;
    },
    reloaded: () => {
      last = 0;
    },
  };
}
