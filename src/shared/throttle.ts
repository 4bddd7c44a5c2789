/**
 * Says something at most once in `everyMs`: the first time at once, what comes until then only counts.
 *
 * @param say called with the newest and with how many there were since it was last called
 */
export function throttle<T>(say: (what: T, times: number) => void, everyMs: number, now: () => number = () => performance.now()): (what: T) => void {
  let silentUntil = -Infinity;
  let times = 0;
  return (what) => {
    times += 1;
    if (now() < silentUntil) return;
    silentUntil = now() + everyMs;
    say(what, times);
    times = 0;
  };
}
