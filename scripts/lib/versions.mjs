/**
 * First dotted number in a program's version text.
 * @param {string} text such as `Asterisk 22.10.1~dfsg` or `1:22.10.1-1`
 * @returns {string | undefined} such as `22.10.1`
 */
export function parseVersion(text) {
  return /(?<![\d.])(\d+(?:\.\d+)+)/.exec(text)?.[1];
}

/**
 * @param {string} version dotted number
 * @param {string} minimum dotted number; parts that are missing count as 0
 */
export function atLeast(version, minimum) {
  const have = version.split(".").map(Number);
  const want = minimum.split(".").map(Number);
  for (let i = 0; i < Math.max(have.length, want.length); i++) {
    const difference = (have[i] ?? 0) - (want[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
