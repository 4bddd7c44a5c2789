/**
 * Compares the verdict of a real API server on every sample with the corpus and with `dialplane validate`.
 * By hand: node scripts/run.mjs --parts npm,control-plane test/harness/kube.check.ts [--verbose]
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";

import { loadSchemas, type Schemas } from "../../src/adapters/manifest/load-schemas.ts";
import { readManifests } from "../../src/adapters/manifest/read-manifests.ts";
import { type ControlPlane, type KubectlResult, startControlPlane } from "./kube.ts";

/** What the API server should do with the samples of a folder: those of not-accepted are for the operator to refuse. */
const FOLDERS = {
  "test/crds/valid": "accept",
  "test/crds/invalid": "refuse",
  "test/crds/not-accepted": "accept",
  "examples/quickstart": "accept",
} as const;
const WAYS: Record<string, readonly string[]> = {
  create: ["create", "--dry-run=server"],
  apply: ["apply", "--dry-run=server"],
  "apply --server-side": ["apply", "--server-side", "--dry-run=server"],
};
/** Of a namespace that a sample names. */
const NAMESPACE = "shop";
/** Where one way differs for a reason of its own, whatever the resource: its words, none when it accepts. */
const PECULIARITIES: Readonly<Record<string, RegExp>> = {
  "apply --server-side pool-exported.yaml": /uid mismatch: the provided object specified uid/,
  // create drops a null that stands for an optional field without default; the merge of server-side apply keeps it.
  "apply --server-side pool-nulls-get-defaults.yaml": /spec\.ranges in body must be of type array: "null"/,
  // kubectl itself drops nulls before it sends anything.
  "apply rule-unknown-field-without-value.yaml": /^$/,
};
const ROOT = join(import.meta.dirname, "../..");

interface Sample {
  readonly folder: keyof typeof FOLDERS;
  readonly file: string;
  readonly text: string;
}

async function readSamples(): Promise<Sample[]> {
  const folders = Object.keys(FOLDERS) as (keyof typeof FOLDERS)[];
  const lists = await Promise.all(
    folders.map(async (folder) => {
      const files = (await readdir(join(ROOT, folder))).sort();
      return Promise.all(files.map(async (file) => ({ folder, file, text: await readFile(join(ROOT, folder, file), "utf8") })));
    }),
  );
  return lists.flat();
}

/** @returns lines that say where the API server and the corpus differ; none when they agree */
async function differences(kube: ControlPlane, schemas: Schemas, sample: Sample): Promise<string[]> {
  const expected = FOLDERS[sample.folder];
  const found: string[] = [];
  for (const [way, args] of Object.entries(WAYS)) {
    const result = await kube.kubectl([...args, "-o", "json", "-f", "-"], { stdin: sample.text });
    const verdict = result.code === 0 ? "accept" : "refuse";
    if (verdict !== expected && PECULIARITIES[`${way} ${sample.file}`]?.test(result.stderr)) continue;
    if (verdict !== expected) found.push(`${way}: corpus says ${expected}, the API server says ${verdict}\n${result.stderr}`);
    else if (sample.folder === "test/crds/invalid") found.push(...reasonDifference(way, sample, result));
    else if (sample.folder !== "test/crds/not-accepted") found.push(...contentDifference(way, schemas, sample, result));
  }
  return found;
}

/** The refusal must name the sample's fault: the rule's message, or the field. */
function reasonDifference(way: string, sample: Sample, { stderr }: KubectlResult): string[] {
  const [, field = "?", message = "?"] = /^# expect: (\S.*?): (.+)\n/.exec(sample.text) ?? [];
  // Faults that kubectl meets before there is an object to speak of.
  if (field === "apiVersion" && stderr.includes("no matches for kind")) return [];
  if (field.startsWith("metadata.") && stderr.includes("unable to decode")) return [];
  const leaf = field.replace(/\[[^\]]*\]$/, "").split(".").at(-1) ?? field;
  return stderr.includes(message) || stderr.includes(leaf) ? [] : [`${way}: expected ${field}: ${message}, the API server says\n${stderr}`];
}

/** What the API server would store must be what `dialplane validate` and standalone work with. */
function contentDifference(way: string, schemas: Schemas, sample: Sample, { stdout }: KubectlResult): string[] {
  const ours = readManifests(schemas, sample.text, sample.file).resources;
  const theirs = documents(stdout);
  if (ours.length !== theirs.length) return [`${way}: ${ours.length} resources of ours, ${theirs.length} of the API server`];
  return ours.flatMap((resource, index) => {
    const other = theirs[index];
    if (isDeepStrictEqual(plain(resource.spec), other?.spec)) return [];
    return [`${way}: ${resource.kind} differs\n  ours:   ${JSON.stringify(resource.spec)}\n  theirs: ${JSON.stringify(other?.spec)}`];
  });
}

interface StoredResource {
  readonly kind: string;
  readonly spec: unknown;
  readonly items?: StoredResource[];
}

/** kubectl prints several resources one JSON text after the other. */
function documents(stdout: string): StoredResource[] {
  const texts = stdout.split(/^(?=\{)/m).filter((text) => text.trim() !== "");
  return texts.map((text) => JSON.parse(text) as StoredResource).flatMap((resource) => resource.items ?? [resource]);
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const { values } = parseArgs({ options: { verbose: { type: "boolean", default: false } } });
const print = (text: string) => process.stdout.write(`${text}\n`);
const started = performance.now();
await using kube = await startControlPlane();
print(`control plane ready in ${Math.round(performance.now() - started)} ms: ${kube.url}, pid ${kube.apiServerPid}`);
await kube.mustKubectl(["create", "namespace", NAMESPACE]);
const schemas = await loadSchemas();
const samples = await readSamples();
let wrong = 0;
for (const sample of samples) {
  const found = await differences(kube, schemas, sample);
  if (found.length > 0) wrong += 1;
  if (found.length > 0 || values.verbose) print(`${found.length > 0 ? "DIFFERS" : "agrees "} ${sample.folder}/${sample.file}`);
  for (const line of found) print(`  ${line.trimEnd().replaceAll("\n", "\n  ")}`);
}
print(`${samples.length - wrong} of ${samples.length} samples agree (${Math.round(performance.now() - started)} ms)`);
process.exitCode = wrong === 0 ? 0 : 1;
