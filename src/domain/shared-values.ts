/** More than differ at one time, in a world of which mostly the same is said. */
const MOST_SHARED = 2_000;

/**
 * Gives equal values as the same object, whole or in parts: ten thousand objects of which the same is said need no ten thousand copies of
 * it. For what JSON carries and nobody changes in place. When it holds too much it forgets everything: then there are copies for a while.
 */
export class Shared {
  readonly #known = new Map<string, unknown>();

  of<T>(value: T): T {
    if (typeof value !== "object" || value === null) return value;
    const content = JSON.stringify(value);
    const known = this.#known.get(content);
    if (known !== undefined) return known as T;
    const lean: unknown = Array.isArray(value) ? value.map((item: unknown) => this.of(item)) : Object.fromEntries(Object.entries(value).map(([name, field]) => [name, this.of(field)]));
    if (this.#known.size >= MOST_SHARED) this.#known.clear();
    this.#known.set(content, lean);
    return lean as T;
  }
}
