import { expect, test } from "vitest";

import { loadSchemas } from "../../src/adapters/manifest/load-schemas.ts";
import { meaningOf } from "../../src/operator/declared-objects.ts";
import { POOL_FINALIZER } from "../../src/operator/names.ts";

const schemas = await loadSchemas();

const leaving = (spec: object | undefined, finalizers = [POOL_FINALIZER]) =>
  meaningOf(schemas, "NumberPool", {
    metadata: { name: "sales", namespace: "default", uid: "uid", resourceVersion: "1", deletionTimestamp: "2026-01-01T00:00:00Z", finalizers },
    ...(spec === undefined ? {} : { spec }),
  });

test.each<readonly [string, object | undefined, "Delete" | "Retain"]>([
  ["Delete", { reclaimPolicy: "Delete" }, "Delete"],
  ["Retain", { reclaimPolicy: "Retain" }, "Retain"],
  ["a word of a newer release", { reclaimPolicy: "Archive" }, "Retain"],
  ["nothing", {}, "Retain"],
  ["no specification at all", undefined, "Retain"],
])("of a pool that is deleted and says %s the history goes only when it says so: what was deleted can't be brought back", (_, spec, reclaimPolicy) => {
  expect(leaving(spec)).toEqual({ state: "leaving", pool: { uid: "uid", reclaimPolicy } });
});

test("a pool that is deleted and held by others only is gone", () => {
  expect(leaving({ reclaimPolicy: "Delete" }, ["example.com/other"])).toEqual({ state: "gone" });
});
