import type { Declared } from "../ports.ts";
import type { AnyResource, ResourceKind } from "../resources.ts";
import type { ResourceKey } from "../types.ts";
import type { Lacks } from "./verdicts.ts";

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

/** Objects of a kind that may be named. */
export interface Presence {
  /** Whether or not anything can be taken from them. */
  readonly declared: ReadonlySet<ResourceKey>;
  /** Being deleted. A successor of the same name is declared. */
  readonly terminating: ReadonlySet<ResourceKey>;
}

export function presenceOf(kind: ResourceKind, readable: readonly AnyResource[], { unreadable = [], terminating = [] }: Pick<Declared, "unreadable" | "terminating">): Presence {
  const ofKind = (objects: NonNullable<Declared["unreadable"]>) => objects.filter((object) => object.kind === kind).map(({ key }) => key);
  return { declared: new Set([...readable.map(keyOf), ...ofKind(unreadable)]), terminating: new Set(ofKind(terminating)) };
}

/** Why something that is named and not there to be used is not. */
export function lackOf(key: ResourceKey, { declared, terminating }: Presence): keyof Lacks {
  if (declared.has(key)) return "unusable";
  return terminating.has(key) ? "terminating" : "missing";
}

export const NO_LACKS: Lacks = { missing: [], unusable: [], terminating: [] };

/** @param keys of objects of this kind that can't be used */
export function lacksOf(kind: ResourceKind, keys: readonly ResourceKey[], presence: Presence): Lacks {
  if (keys.length === 0) return NO_LACKS;
  const those = (lack: keyof Lacks) => keys.filter((key) => lackOf(key, presence) === lack).map((key) => `${kind} ${key}`);
  return { missing: those("missing"), unusable: those("unusable"), terminating: those("terminating") };
}

export function bothLacks(some: Lacks, more: Lacks): Lacks {
  return { missing: joined(some.missing, more.missing), unusable: joined(some.unusable, more.unusable), terminating: joined(some.terminating, more.terminating) };
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
