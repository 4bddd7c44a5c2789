import type { Counter } from "prom-client";

/** Asterisk's count of calls to numbers of nobody, which the dialplan refuses by itself, and how many of them routers have counted. A reload sets both to 0. */
export interface UnknownCalls {
  readonly refused: () => Promise<number>;
  readonly counted: () => Promise<number>;
  readonly note: (counted: number) => Promise<void>;
}

/** To be asked now and then, and before every reload. What was counted is noted in Asterisk: it is not counted again, by whatever router. */
export async function countUnknownCalls({ refused, counted, note }: UnknownCalls, counter: Pick<Counter, "inc">): Promise<void> {
  const [now, before] = [await refused(), await counted()];
  if (now <= before) return;
  // First: what can't be noted would be counted at each look.
  await note(now);
  counter.inc(now - before);
}
