/** What has to be sent to make one list of objects be another. */
export interface Difference<T> {
  /** May differ from what is there. */
  readonly put: readonly T[];
  /** Uids of what was there and is no more; null when it isn't known what was there. */
  readonly gone: readonly string[] | null;
  /** Uids of everything that has to be there. */
  readonly present: readonly string[];
}

/**
 * An object that is the same in memory has not changed: entries are never changed in place. Linear in both lists, and nothing
 * of an object is looked at.
 * @param before undefined when it isn't known what is there
 */
export function differences<T extends { readonly uid: string }>(desired: readonly T[], before: readonly T[] | undefined): Difference<T> {
  const present = desired.map((entry) => entry.uid);
  if (before === undefined) return { put: desired, gone: null, present };
  if (before === desired) return { put: [], gone: [], present };
  const known = new Map(before.map((entry) => [entry.uid, entry]));
  const put = desired.filter((entry) => known.get(entry.uid) !== entry);
  for (const uid of present) known.delete(uid);
  return { put, gone: [...known.keys()], present };
}
