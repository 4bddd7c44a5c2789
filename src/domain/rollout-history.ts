import type { PodReport } from "./ports.ts";

/** What was written at one moment, by the names that pods report. */
export interface Rolled {
  /** Hash of the dialplan. */
  readonly dialplan: string;
  /** Of the database. null: not known, and not asked for. */
  readonly routing: number | null;
  /** Of the trunks' file. null: not known, and not asked for. */
  readonly trunks: string | null;
}

/** More than any pod is behind. */
const KEPT = 100;

/**
 * Which revisions there were, in order. An object is in every pod that runs what it came with or something later, so a change of one
 * pool says nothing new about the others.
 */
export class RolloutHistory {
  readonly #dialplans = new Places();
  readonly #trunks = new Places();
  /** What was written when an object, as it is now, was first seen. One object for all that came at the same time. */
  readonly #since = new WeakMap<object, Rolled>();
  #newest: Rolled | undefined;
  /** Which of two came later. */
  readonly #order = new WeakMap<Rolled, number>();
  #count = 0;

  /** What was written, and everything that it holds. A content that comes back is the newest again. */
  note(rolled: Rolled, objects: Iterable<object>): void {
    if (this.#newest === undefined || !same(this.#newest, rolled)) {
      this.#newest = rolled;
      this.#order.set(rolled, (this.#count += 1));
      this.#dialplans.add(rolled.dialplan);
      if (rolled.trunks !== null) this.#trunks.add(rolled.trunks);
    }
    for (const object of objects) if (!this.#isKnown(object, rolled)) this.#since.set(object, this.#newest);
  }

  /** Trunks that could not be written came with nothing yet: what they came with is what is written next. */
  #isKnown(object: object, { trunks }: Rolled): boolean {
    const since = this.#since.get(object);
    return since !== undefined && (since.trunks !== null || trunks === null);
  }

  /** What an object came with; the newest for one never seen. */
  since(object: object | undefined): Rolled | null {
    return (object === undefined ? undefined : this.#since.get(object)) ?? this.#newest ?? null;
  }

  /** What the last of several objects came with; null of none. */
  sinceAll(objects: readonly object[]): Rolled | null {
    return objects.map((object) => this.since(object)).reduce((last, next) => (this.#orderOf(next) > this.#orderOf(last) ? next : last), null);
  }

  #orderOf(rolled: Rolled | null): number {
    return rolled === null ? 0 : (this.#order.get(rolled) ?? 0);
  }

  /** Whether a pod's Asterisk has the dialplan, and its router the rules, of then or later. A revision that nobody knows is older than all others. */
  routes(pod: PodReport, since: Rolled): boolean {
    const routing = since.routing === null || (pod.routing !== null && pod.routing >= since.routing);
    return routing && this.#dialplans.reached(pod.running, since.dialplan);
  }

  /** Whether a pod has the trunks of then or later. Where none are brought, there is nothing to wait for. */
  hasTrunks(pod: PodReport, since: Rolled): boolean {
    return since.trunks === null || pod.trunks === null || this.#trunks.reached(pod.trunks.running, since.trunks);
  }
}

function same(a: Rolled, b: Rolled): boolean {
  return a.dialplan === b.dialplan && a.routing === b.routing && a.trunks === b.trunks;
}

/** Names in the order in which they last came up. */
class Places {
  readonly #places = new Map<string, number>();
  #next = 0;
  #newest: string | undefined;

  add(name: string): void {
    if (name === this.#newest) return;
    this.#newest = name;
    this.#places.delete(name);
    this.#places.set(name, (this.#next += 1));
    const [oldest] = this.#places.keys();
    if (this.#places.size > KEPT && oldest !== undefined) this.#places.delete(oldest);
  }

  reached(name: string | null, wanted: string): boolean {
    const place = name === null ? undefined : this.#places.get(name);
    return place !== undefined && place >= (this.#places.get(wanted) ?? 0);
  }
}
