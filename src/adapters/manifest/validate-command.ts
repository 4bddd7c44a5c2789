import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../domain/errors.ts";
import { namedSecrets } from "../../domain/world/trunks.ts";
import { loadSchemas } from "./load-schemas.ts";
import { readManifests, type ManifestProblem, type Manifests } from "./read-manifests.ts";
import { MAX_FILE_BYTES } from "./yaml-documents.ts";

/** The part of `process` that the command needs. */
export interface CommandIo {
  readonly stdin: AsyncIterable<unknown>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

const USAGE = `usage: dialplane validate [--json] FILE...

Checks manifests as the API server and the operator would, and says what each error's field must be. Objects of other APIs are passed over, and counted.
FILE is a YAML or JSON file, a folder (its *.yaml, *.yml and *.json, not its sub-folders) or - for standard input.
Exit code 0: all valid, perhaps with warnings. 2: errors, or nothing to read.
`;

interface Outcome extends Manifests {
  readonly file: string;
}

/**
 * `dialplane validate FILE...`: problems go to standard error, warnings and the summary to standard output;
 * with `--json` one JSON object to standard output instead.
 * @returns the exit code, 0 or 2
 */
export async function validateCommand(args: readonly string[], io: CommandIo): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    io.stdout.write(USAGE);
    return 0;
  }
  const unknown = args.find((arg) => arg.startsWith("-") && arg !== "-" && arg !== "--json");
  const names = args.filter((arg) => arg === "-" || !arg.startsWith("-"));
  if (unknown !== undefined || names.length === 0) {
    io.stderr.write(`dialplane validate: ${unknown === undefined ? "FILE must be given" : `no option ${JSON.stringify(unknown)}`}\n${USAGE}`);
    return 2;
  }
  const outcomes = await readAll(names, io);
  const problems = [...outcomes.flatMap((outcome) => outcome.problems), ...ofNamedSecrets(outcomes), ...declaredTwice(outcomes)];
  const print = args.includes("--json") ? printJson : printText;
  print(outcomes, problems, io);
  return problems.length === 0 ? 0 : 2;
}

async function readAll(names: readonly string[], io: CommandIo): Promise<Outcome[]> {
  const schemas = await loadSchemas();
  const outcomes: Outcome[] = [];
  for (const name of names) {
    for (const { file, text, failure } of await texts(name, io)) {
      outcomes.push(failure === undefined ? { file, ...readManifests(schemas, text, file) } : unreadable(file, failure));
    }
  }
  return outcomes;
}

interface Text {
  readonly file: string;
  readonly text: string;
  readonly failure?: string;
}

async function texts(name: string, io: CommandIo): Promise<Text[]> {
  try {
    if (name === "-") return [{ file: "(standard input)", text: await readStream(io.stdin) }];
    if (!(await stat(name)).isDirectory()) return [await textOf(name)];
    const files = (await readdir(name)).filter((file) => /^[^.].*\.(ya?ml|json)$/.test(file)).sort();
    if (files.length === 0) return [{ file: name, text: "", failure: "must hold at least one *.yaml, *.yml or *.json" }];
    return await Promise.all(files.map((file) => textOf(join(name, file))));
  } catch (error) {
    return [notReadable(name, error)];
  }
}

/** A file that can't be read, such as a link that leads nowhere, hides nothing of the others. */
function textOf(file: string): Promise<Text> {
  return readText(file).catch((error: unknown) => notReadable(file, error));
}

function notReadable(file: string, error: unknown): Text {
  return { file, text: "", failure: `must be readable: ${messageOf(error)}` };
}

async function readText(file: string): Promise<Text> {
  const { size } = await stat(file);
  if (size > MAX_FILE_BYTES) return { file, text: "", failure: `must be at most ${MAX_FILE_BYTES} bytes, but has ${size}` };
  return { file, text: await readFile(file, "utf8") };
}

/** One byte above the limit is enough for the parser to say so. */
async function readStream(stream: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    const buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    chunks.push(buffer);
    bytes += buffer.length;
    if (bytes > MAX_FILE_BYTES) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}

function unreadable(file: string, message: string): Outcome {
  const problem = { file, document: null, line: null, object: null, field: null, message };
  return { file, objects: 0, resources: [], credentials: new Map(), secretProblems: new Map(), problems: [problem], warnings: [], passedOver: [] };
}

function ofNamedSecrets(outcomes: readonly Outcome[]): ManifestProblem[] {
  const named = namedSecrets(outcomes.flatMap(({ resources }) => resources));
  return outcomes.flatMap(({ secretProblems }) => [...secretProblems].flatMap(([key, problems]) => (named.has(key) ? problems : [])));
}

/** One object in two files: the later file's is refused. Within one file the reader itself says so. */
function declaredTwice(outcomes: readonly Outcome[]): ManifestProblem[] {
  const first = new Map<string, string>();
  return outcomes.flatMap(({ file, resources, credentials }) => {
    const objects = [...resources.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`), ...[...credentials.keys()].map((key) => `Secret ${key}`)];
    return objects.flatMap((object) => {
      const earlier = first.get(object);
      if (earlier === undefined) first.set(object, file);
      if (earlier === undefined) return [];
      return [{ file, document: null, line: null, object, field: "metadata.name", message: `must be unique, but ${earlier} declares the same object` }];
    });
  });
}

function printText(outcomes: readonly Outcome[], problems: readonly ManifestProblem[], io: CommandIo): void {
  for (const problem of problems) io.stderr.write(`${describe(problem)}\n`);
  for (const warning of outcomes.flatMap((outcome) => outcome.warnings)) io.stdout.write(`warning: ${describe(warning)}\n`);
  const valid = outcomes.reduce((sum, { resources }) => sum + resources.length, 0);
  const others = outcomes.flatMap(({ passedOver }) => passedOver);
  const rest = others.length === 0 ? "" : `; passed over ${count(others.length, "object")} of other APIs: ${others.slice(0, MOST_NAMES).join(", ")}${others.length > MOST_NAMES ? ", ..." : ""}`;
  io.stdout.write(`${count(outcomes.length, "file")}, ${count(valid, "valid resource")}, ${count(problems.length, "problem")}${rest}\n`);
}

function printJson(outcomes: readonly Outcome[], problems: readonly ManifestProblem[], io: CommandIo): void {
  const resources = outcomes.flatMap(({ file, resources: found }) =>
    found.map(({ kind, metadata: { namespace, name } }) => ({ file, kind, namespace, name })),
  );
  const warnings = outcomes.flatMap((outcome) => outcome.warnings);
  const passedOver = outcomes.flatMap((outcome) => outcome.passedOver);
  io.stdout.write(`${JSON.stringify({ ok: problems.length === 0, resources, problems, warnings, passedOver })}\n`);
}

/** Enough to see what they are. */
const MOST_NAMES = 5;

/** `rules.yaml:14: document 2 (RoutingRule default/sales): spec.destinations[0].number: must ...` */
function describe({ file, line, document, object, field, message }: ManifestProblem): string {
  const where = line === null ? file : `${file}:${line}`;
  const which = document === null ? object : `document ${document}${object === null ? "" : ` (${object})`}`;
  return [where, which, field, message].filter((part) => part !== null).join(": ");
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
