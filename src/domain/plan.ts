/**
 * What must change so that the actual set becomes the desired one. No side effects.
 *
 * | desired | actual | equal | result    |
 * |---------|--------|-------|-----------|
 * | yes     | no     |       | create    |
 * | yes     | yes    | no    | update    |
 * | yes     | yes    | yes   | unchanged |
 * | no      | yes    |       | delete    |
 */
export interface Plan<Desired, Actual> {
  readonly create: readonly Desired[];
  readonly update: readonly { readonly desired: Desired; readonly actual: Actual }[];
  readonly delete: readonly Actual[];
  readonly unchanged: readonly Desired[];
}

export interface Comparison<Desired, Actual> {
  readonly desiredKey: (item: Desired) => string;
  readonly actualKey: (item: Actual) => string;
  readonly equal: (desired: Desired, actual: Actual) => boolean;
}

/** Keeps the order of both lists. Of several items with one key the last counts. O(n + m). */
export function plan<Desired, Actual>(
  desired: readonly Desired[],
  actual: readonly Actual[],
  by: Comparison<Desired, Actual>,
): Plan<Desired, Actual> {
  const wanted = new Map(desired.map((item) => [by.desiredKey(item), item]));
  const present = new Map(actual.map((item) => [by.actualKey(item), item]));
  const create: Desired[] = [];
  const unchanged: Desired[] = [];
  const update: { desired: Desired; actual: Actual }[] = [];
  for (const [key, item] of wanted) {
    const other = present.get(key);
    if (!present.has(key)) create.push(item);
    else if (by.equal(item, other as Actual)) unchanged.push(item);
    else update.push({ desired: item, actual: other as Actual });
  }
  return { create, update, delete: [...present].filter(([key]) => !wanted.has(key)).map(([, item]) => item), unchanged };
}

export function isEmpty(changes: Plan<unknown, unknown>): boolean {
  return changes.create.length + changes.update.length + changes.delete.length === 0;
}
