import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MINIMUM_ASTERISK } from "../../scripts/lib/asterisk-tree.mjs";
import { ROOT } from "../../scripts/lib/paths.mjs";
import { renderDialplan } from "../../src/domain/dialplan.ts";
import { operatorConfig } from "../../src/operator/config.ts";
import { aPool } from "../ingress/site.ts";

const read = (path: string) => readFile(join(ROOT, path), "utf8");

describe("documents say what the code does:", () => {
  test("the README asks for the Asterisk that the dialplan needs, and for no older one", async () => {
    const { content } = renderDialplan({ pools: [{ ...aPool("default/sales", 1, {}), owned: [{ from: "+12025550110", to: "+12025550119" }] }], trunks: [] });
    expect(content).toContain("StasisBroadcast(");
    const named = [...(await read("README.md")).matchAll(/Asterisk (\d+\.\d+)/g)].map(([, version]) => version);
    expect(named).toEqual([MINIMUM_ASTERISK]);
  });

  test("the faults of Kubernetes name the operator's Lease", async () => {
    const { leaseSeconds } = operatorConfig({ DATABASE_URL: "postgres://u:p@127.0.0.1/d" });
    const benchmarks = await read("docs/benchmarks.md");
    expect(benchmarks).toContain(`of the operator ${leaseSeconds} s)`);
    expect(benchmarks).toContain(`the operator every ${leaseSeconds / 6} s)`);
  });
});
