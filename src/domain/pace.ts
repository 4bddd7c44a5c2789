/**
 * Calls a second: each call gets the next free moment, `1 / rate` after the one before.
 *
 * @param next milliseconds: the first moment that is still free, as answered for the call before; 0 for the first
 * @param now milliseconds on the same clock
 * @param perSecond at most so many calls begin in a second
 * @param longestWaitMs a call that would wait longer is not let through, and takes no place
 * @returns how long to wait, and the next free moment; null when that is too long
 */
export function pace(next: number, now: number, perSecond: number, longestWaitMs: number): { readonly waitMs: number; readonly next: number } | null {
  const at = Math.max(next, now);
  return at - now > longestWaitMs ? null : { waitMs: at - now, next: at + 1000 / perSecond };
}
