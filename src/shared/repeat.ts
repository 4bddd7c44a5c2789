export interface RepeatOptions {
  readonly everyMs: number;
  /** The first time comes this much after the start already. */
  readonly firstMs?: number;
  /** @param again the time before failed too */
  readonly failed: (error: unknown, again: boolean) => void;
}

export interface Repeated {
  /** Once more at once, or after the time that is under way, which may have begun too early. Resolves when it is over, also when it failed. */
  now(): Promise<void>;
  /** Resolves when the last time is over. */
  stop(): Promise<void>;
}

/** Does something again and again, one at a time: what takes longer than `everyMs` misses its turn. Keeps no process alive. */
export function repeat(work: () => Promise<void>, { everyMs, firstMs, failed }: RepeatOptions): Repeated {
  let working: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let hasFailed = false;
  let isStopped = false;
  const once = async () => {
    try {
      await work();
      hasFailed = false;
    } catch (error) {
      failed(error, hasFailed);
      hasFailed = true;
    }
  };
  const begin = () => {
    if (!isStopped) working ??= once().finally(() => (working = undefined));
    return working;
  };
  const first = firstMs === undefined ? undefined : setTimeout(() => void begin(), firstMs).unref();
  const timer = setInterval(() => void begin(), everyMs).unref();
  return {
    now: () => {
      next ??= (working ?? Promise.resolve()).then(() => {
        next = undefined;
        return begin();
      });
      return next;
    },
    stop: async () => {
      isStopped = true;
      clearTimeout(first);
      clearInterval(timer);
      await working;
    },
  };
}
