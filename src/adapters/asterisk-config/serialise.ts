const tails = new Map<string, Promise<unknown>>();

/** Runs tasks of one key one after the other, in the order of the calls; a task that fails doesn't stop the next. */
export function serialise<T>(key: string, task: () => Promise<T>): Promise<T> {
  const result = (tails.get(key) ?? Promise.resolve()).then(task, task);
  const settled = result.then(
    () => undefined,
    () => undefined,
  );
  tails.set(key, settled);
  void settled.then(() => {
    if (tails.get(key) === settled) tails.delete(key);
  });
  return result;
}
