import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";

import { eventually } from "../harness/process.ts";
import { aPool, aRule, aTrunk, operatorIn, ROOT, startWorld, TEN, type OperatorWorld } from "./world.ts";

/** What an operator that is older than the definitions in the cluster makes of objects that use what is new, as after a roll-back. */

let world: OperatorWorld;
beforeAll(async () => {
  world = await startWorld();
  for (const [file, paths] of Object.entries(NEW_FIELDS)) await world.kube.mustKubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], { stdin: await extended(file, paths) });
}, 120_000);
afterAll(() => world.stop());

const NEW_FIELDS = {
  "numberpool.yaml": [["musicOnHold"], ["assignment", "properties", "fairness"]],
  "routingrule.yaml": [["destinations", "items", "properties", "skill"]],
  "siptrunk.yaml": [["outboundProxy"]],
};

/** A definition of ours with more fields in `spec`. */
async function extended(file: string, paths: readonly (readonly string[])[]): Promise<string> {
  const definition = parse(await readFile(join(ROOT, "crds", file), "utf8")) as Definition;
  for (const path of paths) {
    const at = path.slice(0, -1).reduce<Tree>((tree, step) => tree[step] as Tree, definition.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties);
    at[path.at(-1) ?? ""] = { type: "string" };
  }
  return JSON.stringify(definition);
}

interface Tree {
  [name: string]: unknown;
}
interface Definition {
  readonly spec: { readonly versions: readonly [{ readonly schema: { readonly openAPIV3Schema: { readonly properties: { readonly spec: { readonly properties: Tree } } } } }] };
}

test("fields of newer definitions are passed over and named, and everything stays in service", { timeout: 120_000 }, async () => {
  const objects = [
    aTrunk("carrier", { outboundProxy: "proxy.example.com" }),
    aPool("sales", { ranges: TEN, musicOnHold: "calm", assignment: { fairness: "Strict" } }),
    aRule("rule", { destinations: [{ name: "desk", number: "+12025550142", skill: "pricing" }] }),
  ];
  const stores = async () => {
    await world.apply(...objects);
    return (await world.get("np", "sales"))?.metadata !== undefined && JSON.stringify(await world.get("rr", "rule")).includes("skill");
  };
  await eventually("the API server knows the new fields", () => stores().catch(() => false), 30_000);
  const operator = await operatorIn(world);
  for (const [kind, name] of [["trunk", "carrier"], ["np", "sales"], ["rr", "rule"]] as const) {
    await world.becomes(kind, name, { Accepted: "True/AcceptedWithWarnings", ResolvedRefs: "True/ResolvedRefs" });
  }
  const said = async (kind: string, name: string) => (await world.condition(kind, name, "Accepted"))?.message;
  const but = (field: string) => `${field}: is not known to this release and has no effect`;
  expect(await said("trunk", "carrier")).toBe(`the specification is in force; but ${but("spec.outboundProxy")}`);
  expect(await said("np", "sales")).toBe(`the specification is in force; but ${but("spec.assignment.fairness")}; ${but("spec.musicOnHold")}`);
  expect(await said("rr", "rule")).toBe(`the specification is in force; but ${but("spec.destinations[0].skill")}`);
  expect(await world.rows("select count(*)::int as numbers from number where in_service")).toEqual([{ numbers: 10 }]);
  expect(JSON.stringify(await world.rows("select spec from pool"))).not.toContain("musicOnHold");
  expect(await operator.ended()).toEqual([]);
});
