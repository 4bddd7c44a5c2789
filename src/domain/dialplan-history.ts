import type { PodReport } from "./ports.ts";

/** More than any pod is behind. */
const KEPT = 100;

/**
 * Which dialplan revisions there were, in order. An object is in every pod that runs the revision it came with or a later one, so a
 * change of one pool says nothing new about the others.
 */
export class DialplanHistory {
  /** By hash: the place in the order. */
  readonly #places = new Map<string, number>();
  /** The revision with which an object, as it is now, was first seen. */
  readonly #since = new WeakMap<object, string>();
  #next = 0;
  #newest: string | undefined;

  /** A revision and everything that it holds. A content that comes back is the newest again. */
  note(hash: string, objects: Iterable<object>): void {
    if (hash !== this.#newest) this.#add(hash);
    for (const object of objects) if (!this.#since.has(object)) this.#since.set(object, hash);
  }

  /** The revision that an object came with; the newest for one never seen. */
  since(object: object | undefined): string | null {
    return (object === undefined ? undefined : this.#since.get(object)) ?? this.#newest ?? null;
  }

  /** Whether a pod runs a revision with the object as it is now. A revision that nobody knows is older than all others. */
  holds(pod: PodReport, object: object | undefined): boolean {
    const since = this.since(object);
    const runs = pod.running === null ? undefined : this.#places.get(pod.running);
    if (since === null || runs === undefined) return false;
    return runs >= (this.#places.get(since) ?? 0);
  }

  #add(hash: string): void {
    this.#places.delete(hash);
    this.#places.set(hash, (this.#next += 1));
    this.#newest = hash;
    const [oldest] = this.#places.keys();
    if (this.#places.size > KEPT && oldest !== undefined) this.#places.delete(oldest);
  }
}
