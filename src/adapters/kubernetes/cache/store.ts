import { objectKey, type KubeObject } from "../objects.ts";

export type StoreEvent =
  | { readonly type: "added"; readonly key: string; readonly object: KubeObject }
  | { readonly type: "modified"; readonly key: string; readonly object: KubeObject; readonly old: KubeObject }
  /** `object` is the last state that was seen; the very last one where the API server told of it. */
  | { readonly type: "deleted"; readonly key: string; readonly object: KubeObject };

/** What is kept of an object: equal, and smaller in memory. What client-go's informers call SetTransform. `previous`: the state before, of whatever object of that name. */
export type Transform = (object: KubeObject, previous: KubeObject | undefined) => KubeObject;

/** The last known state of a collection. resourceVersions are compared for equality only: nothing else of them is defined. */
export class Store {
  readonly #objects = new Map<string, KubeObject>();
  readonly #transform: Transform;

  constructor(transform: Transform = (object) => object) {
    this.#transform = transform;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): KubeObject | undefined {
    return this.#objects.get(key);
  }

  list(): readonly KubeObject[] {
    return [...this.#objects.values()];
  }

  keys(): readonly string[] {
    return [...this.#objects.keys()];
  }

  /** Takes a state; answers what changed: nothing for one already known, delete and add for another object of the same name. */
  put(state: KubeObject): readonly StoreEvent[] {
    const key = objectKey(state.metadata);
    const old = this.#objects.get(key);
    if (old?.metadata.resourceVersion === state.metadata.resourceVersion && old.metadata.uid === state.metadata.uid) return [];
    const object = this.#transform(state, old);
    this.#objects.set(key, object);
    if (old === undefined) return [{ type: "added", key, object }];
    if (old.metadata.uid === object.metadata.uid) return [{ type: "modified", key, object, old }];
    return [
      { type: "deleted", key, object: old },
      { type: "added", key, object },
    ];
  }

  /** @param object its last state */
  remove(object: KubeObject): readonly StoreEvent[] {
    const key = objectKey(object.metadata);
    const old = this.#objects.get(key);
    // Told late of an object whose successor is known already: not its end.
    if (old === undefined || old.metadata.uid !== object.metadata.uid) return [];
    this.#objects.delete(key);
    return [{ type: "deleted", key, object }];
  }

  /** Takes a whole list; what is not in it was deleted while nobody looked. Deletes come first. */
  replace(objects: readonly KubeObject[]): readonly StoreEvent[] {
    const listed = new Set(objects.map((object) => objectKey(object.metadata)));
    const vanished = this.list().filter((object) => !listed.has(objectKey(object.metadata)));
    return [...vanished.flatMap((object) => this.remove(object)), ...objects.flatMap((object) => this.put(object))];
  }
}
