import type { Declared } from "../ports.ts";
import type { AnyResource, ResourceKind } from "../resources.ts";
import type { ResourceKey } from "../types.ts";

/** `namespace/name`. */
export function keyOf(resource: AnyResource): ResourceKey {
  return `${resource.metadata.namespace}/${resource.metadata.name}`;
}

/** Of one object among those of its kind. */
export function identityOf(resource: AnyResource): string {
  return `${resource.metadata.uid} ${keyOf(resource)}`;
}

/** What goes to the database of every kind; `createdAt` decides which of two objects is older. */
export function entryOf(resource: AnyResource) {
  const { uid, creationTimestamp } = resource.metadata;
  return { key: keyOf(resource), uid, createdAt: new Date(creationTimestamp) };
}

/** Those that are there, and that nothing can be taken from. */
export function unreadableOf(kind: ResourceKind, unreadable: Declared["unreadable"] = []): readonly ResourceKey[] {
  return unreadable.filter((object) => object.kind === kind).map(({ key }) => key);
}

/** What a change elsewhere did not touch stays the same object. */
export function keepEqual<T>(next: ReadonlyMap<ResourceKey, T>, previous: ReadonlyMap<ResourceKey, T> | undefined, same: (a: T, b: T) => boolean): ReadonlyMap<ResourceKey, T> {
  return new Map(
    [...next].map(([key, value]) => {
      const before = previous?.get(key);
      return [key, before !== undefined && same(before, value) ? before : value];
    }),
  );
}

/** Of ten thousand objects most have nothing to be said of: they share one empty list. */
export function joined<T>(some: readonly T[], more: readonly T[]): readonly T[] {
  if (more.length === 0) return some;
  return some.length === 0 ? more : [...some, ...more];
}
