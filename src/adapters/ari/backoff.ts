/**
 * How long to wait before the next attempt: doubles up to `maxMs`, then half of it is random, so that many routers
 * don't knock at the same instant.
 *
 * @param attempt 0 for the first
 * @param random uniform in [0, 1)
 */
export function backoffMs(attempt: number, random: number, limits: { readonly firstMs: number; readonly maxMs: number }): number {
  const ceiling = Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(attempt, 20));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
