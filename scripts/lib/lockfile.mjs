/** @typedef {{ version?: string, integrity?: string, optional?: boolean, link?: boolean }} LockEntry */
/** @typedef {{ packages?: Record<string, LockEntry> }} Lockfile */

/**
 * First package that differs between what is wanted and what npm recorded as installed.
 * Optional packages may be absent: npm leaves out those of other platforms.
 * @param {Lockfile} wanted package-lock.json
 * @param {Lockfile} installed node_modules/.package-lock.json
 * @returns {string | undefined} its path, undefined when all are as wanted
 */
export function firstDifference(wanted, installed) {
  const have = installed.packages ?? {};
  const want = Object.entries(wanted.packages ?? {}).filter(([path]) => path !== "");
  const changed = want.find(([path, entry]) => {
    const there = have[path];
    if (!there) return entry.optional !== true;
    return there.version !== entry.version || there.integrity !== entry.integrity;
  });
  const paths = new Set(want.map(([path]) => path));
  return changed?.[0] ?? Object.keys(have).find((path) => !paths.has(path));
}
