/**
 * Requests about the same channel or bridge go one after the other, in the order they were asked; all others go at once. A WebSocket
 * keeps that order by itself; over HTTP each request has a connection of its own, and a channel would overtake the bridge it is put into.
 */
export class InOrder {
  /** The last request about an object; it never rejects. */
  readonly #last = new Map<string, Promise<unknown>>();

  run<T>(objects: readonly string[], request: () => Promise<T>): Promise<T> {
    const before = objects.map((object) => this.#last.get(object)).filter((last) => last !== undefined);
    const mine = before.length === 0 ? request() : Promise.all(before).then(request);
    const done: Promise<unknown> = mine.catch(() => undefined).then(() => this.#forget(objects, done));
    for (const object of objects) this.#last.set(object, done);
    return mine;
  }

  #forget(objects: readonly string[], done: Promise<unknown>): void {
    for (const object of objects) if (this.#last.get(object) === done) this.#last.delete(object);
  }
}

/** Parameters that name a channel, or several, beside the one of the path. */
const NAMED = ["channel", "channelId", "originator"];

/** Ids of the channels and bridges that a request is about. */
export function objectsOf(path: string, query: Readonly<Record<string, string>> = {}): readonly string[] {
  const [, id] = /^\/(?:channels|bridges)\/([^/]+)/.exec(path) ?? [];
  const named = NAMED.flatMap((name) => query[name]?.split(",") ?? []).filter((value) => value !== "");
  return [...new Set([...(id === undefined ? [] : [decodeURIComponent(id)]), ...named])];
}
