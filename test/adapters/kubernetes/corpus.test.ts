import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { loadSchemas, type Schemas } from "../../../src/adapters/manifest/load-schemas.ts";
import { readManifests } from "../../../src/adapters/manifest/read-manifests.ts";
import { environment as asteriskConfig } from "../../../src/router/asterisk-config-command.ts";
import { environment as router } from "../../../src/router/config.ts";
import { environment as drain } from "../../../src/router/drain-command.ts";
import { type ControlPlane, startControlPlane } from "../../harness/kube.ts";

const ROOT = join(import.meta.dirname, "../../..");
/** A namespace that samples name. */
const NAMESPACE = "shop";

/** What a sample means to the API server; those of not-accepted are for the operator to refuse. */
const ACCEPTED = ["test/crds/valid", "test/crds/with-warnings", "test/crds/not-accepted", "examples/quickstart"] as const;
const REFUSED = "test/crds/invalid";
const FOLDERS = [...ACCEPTED, REFUSED] as const;
type Folder = (typeof FOLDERS)[number];

interface Sample {
  readonly name: string;
  readonly text: string;
}

function samples(folder: Folder): Sample[] {
  const names = readdirSync(join(ROOT, folder)).sort();
  return names.map((name) => ({ name, text: readFileSync(join(ROOT, folder, name), "utf8") }));
}

interface Verdicts {
  /** What the API server would store, in the order of the files. */
  readonly stored: readonly StoredResource[];
  /** The words of the refusal, by file. */
  readonly refusals: ReadonlyMap<string, string>;
}

interface StoredResource {
  readonly kind: string;
  readonly spec: unknown;
  readonly items?: readonly StoredResource[];
}

let kube: ControlPlane;
let schemas: Schemas;
const verdicts = new Map<Folder, Verdicts>();

beforeAll(async () => {
  kube = await startControlPlane();
  await kube.mustKubectl(["create", "namespace", NAMESPACE]);
  schemas = await loadSchemas();
  for (const folder of FOLDERS) verdicts.set(folder, await create(folder));
});
afterAll(() => kube.stop());

/** All files at once: kubectl goes on after a refusal, and names the file in it. */
async function create(folder: Folder): Promise<Verdicts> {
  const { stdout, stderr } = await kube.kubectl(["create", "--dry-run=server", "-o", "json", "-f", join(ROOT, folder)]);
  return { stored: documents(stdout), refusals: refusalsIn(stderr) };
}

/** kubectl prints several resources one JSON text after the other. */
function documents(stdout: string): StoredResource[] {
  const texts = stdout.split(/^(?=\{)/m).filter((text) => text.trim() !== "");
  return texts.map((text) => JSON.parse(text) as StoredResource).flatMap((resource) => resource.items ?? [resource]);
}

/** A refusal may have several lines; the next one begins where the next file is named. */
function refusalsIn(stderr: string): Map<string, string> {
  const refusals = new Map<string, string>();
  let file = "";
  for (const line of stderr.split("\n")) {
    file = /"[^"]*\/([^"/]+\.(?:yaml|yml|json))"/.exec(line)?.[1] ?? file;
    refusals.set(file, `${refusals.get(file) ?? ""}${line}\n`);
  }
  return refusals;
}

function verdictsOf(folder: Folder): Verdicts {
  const found = verdicts.get(folder);
  if (found === undefined) throw new Error(`${folder} was not tried`);
  return found;
}

function validate({ name, text }: Sample) {
  return readManifests(schemas, text, name);
}

describe.each(ACCEPTED)("the API server takes every sample of %s", (folder) => {
  test("without a word against any", () => {
    expect(Object.fromEntries(verdictsOf(folder).refusals)).toEqual({ "": "\n" });
  });
});

describe.each(["test/crds/valid", "test/crds/with-warnings", "examples/quickstart"] as const)("`dialplane validate` takes every sample of %s", (folder) => {
  test("and works with exactly what the API server would store", () => {
    const read = samples(folder).map(validate);
    expect(read.flatMap(({ problems }) => problems)).toEqual([]);
    const ours = read.flatMap(({ resources }) => resources.map(({ kind, spec }) => ({ kind, spec: plain(spec) })));
    expect(ours).toEqual(verdictsOf(folder).stored.map(({ kind, spec }) => ({ kind, spec })));
  });
});

describe("`dialplane validate` refuses what the operator will not accept, though the API server takes it", () => {
  test.each(samples("test/crds/not-accepted"))("$name is refused", (sample) => {
    expect(validate(sample).problems).toHaveLength(1);
  });
});

describe("API server and `dialplane validate` refuse the same for the same fault", () => {
  test("and the API server would store none of the samples", () => expect(verdictsOf(REFUSED).stored).toEqual([]));

  test.each(samples(REFUSED))("$name is refused by both", (sample) => {
    const [problem] = validate(sample).problems;
    const refusal = verdictsOf(REFUSED).refusals.get(sample.name) ?? "(accepted)";
    const leaf = (problem?.field ?? "?").replace(/\[[^\]]*\]$/, "").split(".").at(-1) ?? "?";
    const words = [problem?.message ?? "?", leaf, ...(MET_BEFORE_THE_OBJECT[sample.name] ?? [])];
    expect(words.some((word) => refusal.includes(word)), `${words.join(" or ")} in: ${refusal}`).toBe(true);
  });
});

describe("what docs/cluster.md shows", () => {
  const text = readFileSync(join(ROOT, "docs/cluster.md"), "utf8");
  const manifest = /```yaml\n([\s\S]*?)```/.exec(text)?.[1] ?? "";

  test("is a manifest that the API server takes", async () => {
    await kube.mustKubectl(["create", "namespace", "dialplane-system"]);
    const name = await kube.mustKubectl(["create", "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-"], { stdin: manifest });
    expect(name.trim()).toBe("statefulset.apps/asterisk");
  });

  test("sets only variables that what runs in the pod reads", () => {
    const known = [...Object.keys(router.shape), ...Object.keys(drain.shape), ...Object.keys(asteriskConfig.shape), "ASTERISK"];
    const set = [...manifest.matchAll(/\{ name: ([A-Z_]+), value/g)].map(([, variable]) => variable);
    expect(set.length).toBeGreaterThan(4);
    expect(set.filter((variable) => !known.includes(variable ?? ""))).toEqual([]);
  });
});

/** Faults that kubectl or the API server meet before there is an object whose field could be named. */
const MET_BEFORE_THE_OBJECT: Readonly<Record<string, readonly string[]>> = {
  "api-version-unknown.yaml": ["no matches for kind"],
  "pool-creation-time-not-a-time.yaml": ['parsing time "yesterday"'],
};

/** Where another way than `create` differs for a reason of its own, whatever the resource. */
const PECULIARITIES = {
  // kubectl itself drops nulls before it sends anything.
  apply: { refuses: [], takes: ["routingrule.dialplane.io/sample"] },
  // It asks for the very object of the uid that a sample names, and keeps nulls which `create` drops.
  "apply --server-side": { refuses: ["numberpool.dialplane.io/exported", "numberpool.dialplane.io/nulls"], takes: [] },
} as const;

describe.each(Object.entries(PECULIARITIES))("with kubectl %s", (way, { refuses, takes }) => {
  const names = async (folder: Folder) => {
    const { stdout } = await kube.kubectl([...way.split(" "), "--dry-run=server", "-o", "name", "-f", join(ROOT, folder)]);
    return stdout.split("\n").filter((line) => line !== "").sort();
  };

  test.each(ACCEPTED)("every resource of %s is taken as with create", async (folder) => {
    const created = (await kube.mustKubectl(["create", "--dry-run=server", "-o", "name", "-f", join(ROOT, folder)])).split("\n");
    const expected = created.filter((name) => name !== "" && !(refuses as readonly string[]).includes(name)).sort();
    expect(await names(folder)).toEqual(expected);
  });

  test("no invalid sample is taken, but what kubectl corrects by itself", async () => {
    expect(await names(REFUSED)).toEqual(takes);
  });
});

/** As JSON carries it. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
