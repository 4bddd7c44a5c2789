import { describe, expect, test } from "vitest";
import { Store } from "../../src/adapters/kubernetes/cache/store.ts";
import type { KubeObject } from "../../src/adapters/kubernetes/objects.ts";
import { leanObjects } from "../../src/operator/lean-objects.ts";

const stored = (name: string, resourceVersion: string, more: { readonly uid?: string; readonly generation?: number; readonly priority?: number; readonly reason?: string } = {}): KubeObject => ({
  metadata: { name, uid: more.uid ?? name, resourceVersion, generation: more.generation ?? 1 },
  spec: { priority: more.priority ?? 1 },
  ...(more.reason === undefined ? {} : { status: { conditions: [{ type: "Ready", reason: more.reason }] } }),
});

describe("objects as the operator keeps them", () => {
  test("a status that changes brings no second copy of the specification", () => {
    const store = new Store(leanObjects());
    store.put(stored("one", "1"));
    const before = store.get("one");
    store.put(stored("one", "2", { reason: "Ready" }));
    expect(store.get("one")).toStrictEqual(stored("one", "2", { reason: "Ready" }));
    expect(store.get("one")?.["spec"]).toBe(before?.["spec"]);
  });

  test("another generation, and another object of the same name, have specifications of their own", () => {
    const store = new Store(leanObjects());
    store.put(stored("one", "1"));
    store.put(stored("one", "2", { generation: 2, priority: 7 }));
    expect(store.get("one")?.["spec"]).toStrictEqual({ priority: 7 });
    store.put(stored("one", "3", { generation: 2, uid: "another", priority: 9 }));
    expect(store.get("one")?.["spec"]).toStrictEqual({ priority: 9 });
  });

  test("what is said of many objects is kept once", () => {
    const store = new Store(leanObjects());
    for (const name of ["one", "two"]) store.put(stored(name, "1", { reason: "Pending" }));
    expect(store.get("two")?.["status"]).toBe(store.get("one")?.["status"]);
    expect(store.get("two")).toStrictEqual(stored("two", "1", { reason: "Pending" }));
  });

  test("an object without a status gets none", () => {
    const store = new Store(leanObjects());
    store.put(stored("one", "1"));
    expect(store.get("one")).toStrictEqual(stored("one", "1"));
  });
});
