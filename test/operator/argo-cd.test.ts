import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { LuaFactory } from "wasmoon";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";

import type { Condition } from "../../src/domain/api.generated.ts";
import { poolConditions, type PoolFacts } from "../../src/domain/conditions-kinds.ts";
import { resolveOwnership } from "../../src/domain/ownership.ts";
import { aPool } from "../domain/builders.ts";
import { ROOT } from "./world.ts";

/** What docs/gitops.md tells Argo CD about our kinds, run as Argo CD runs it: a chunk that reads `obj` and returns the health. */

let script: string;
beforeAll(async () => {
  const text = await readFile(join(ROOT, "docs/gitops.md"), "utf8");
  const block = /```yaml\n(data:\n {2}resource\.customizations: [\s\S]*?)```/.exec(text)?.[1] ?? "";
  const { data } = parse(block) as { readonly data: Readonly<Record<string, string>> };
  const customizations = parse(data["resource.customizations"] ?? "") as Readonly<Record<string, Readonly<Record<string, string>>>>;
  script = customizations["dialplane.io/*"]?.["health.lua"] ?? "";
  expect(script).toContain("return health");
});

async function healthOf(object: object): Promise<unknown> {
  const lua = await new LuaFactory().createEngine();
  try {
    await lua.doString(`obj = ${asTable(object)}`);
    return { ...((await lua.doString(script)) as object) };
  } finally {
    lua.global.close();
  }
}

function asTable(value: unknown): string {
  if (Array.isArray(value)) return `{${value.map(asTable).join(", ")}}`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, field]) => `[${JSON.stringify(name)}] = ${asTable(field)}`).join(", ")}}`;
}

const pool = aPool();
const facts: PoolFacts = {
  generation: 3,
  now: new Date("2026-06-01T12:00:00Z"),
  previous: [],
  problems: [],
  warnings: [],
  missing: [],
  unusable: [],
  terminating: [],
  programming: { revision: "abcdef0123456789", readyPods: 3, pods: 3, error: null },
  ownership: resolveOwnership([pool]).get(pool.key)!,
};
const object = (conditions: readonly Condition[], of: { readonly generation?: number } = {}) => ({
  metadata: { name: "sales", generation: of.generation ?? 3 },
  status: { observedGeneration: 3, conditions },
});

describe("Argo CD's health of a pool", () => {
  test.each([
    ["that the operator has not seen", { metadata: { name: "sales", generation: 1 } }, "Progressing", "waiting for the operator"],
    ["that changed since", object(poolConditions(facts), { generation: 4 }), "Progressing", "waiting for the operator"],
    ["that is in service", object(poolConditions(facts)), "Healthy", "10 numbers are in service"],
    ["with a warning", object(poolConditions({ ...facts, warnings: ["spec.numbers[0]: should not"] })), "Healthy", "10 numbers are in service"],
    ["that pods are loading", object(poolConditions({ ...facts, programming: { ...facts.programming, readyPods: 2 } })), "Progressing", "2 of 3 pods run revision abcdef012345"],
    ["that no pod has reported", object(poolConditions({ ...facts, programming: { ...facts.programming, readyPods: 0, pods: 0 } })), "Progressing", "no Asterisk pod has reported"],
    ["that a pod can't load", object(poolConditions({ ...facts, programming: { ...facts.programming, readyPods: 2, error: "disk full" } })), "Degraded", "2 of 3 pods run revision abcdef012345: disk full"],
    ["without its trunk", object(poolConditions({ ...facts, missing: ["SipTrunk default/carrier"] })), "Degraded", "SipTrunk default/carrier does not exist"],
  ])("%s", async (_, seen, status, message) => {
    expect(await healthOf(seen)).toEqual({ status, message });
  });
});
