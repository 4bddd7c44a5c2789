import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { watch } from "chokidar";
import { messageOf } from "../../domain/errors.ts";
import type { Clock, Credentials, Declared, Logger, ResourceSource, SourceProblem } from "../../domain/ports.ts";
import type { AnyResource } from "../../domain/resources.ts";
import type { ResourceKey } from "../../domain/types.ts";
import { namedSecrets } from "../../domain/world/trunks.ts";
import { repeat } from "../../shared/repeat.ts";
import type { IdentityRegister } from "./identity.ts";
import type { LastGood } from "./last-good.ts";
import { Settling, type Version } from "./settling.ts";

/** What a reader makes of one file; a file with any problem is not taken at all. */
export interface FileContent {
  /** How many objects it holds, of whatever kind and whether they are valid or not. */
  readonly objects: number;
  readonly resources: readonly AnyResource[];
  readonly credentials: ReadonlyMap<ResourceKey, Credentials>;
  /** By Secret what is wrong with it: problems only where a trunk of any file names it. */
  readonly secretProblems?: ReadonlyMap<ResourceKey, readonly SourceProblem[]>;
  readonly problems: readonly SourceProblem[];
}

export interface DirectoryOptions {
  readonly directory: string;
  readonly parse: (text: string, fileName: string) => FileContent;
  readonly identities: Pick<IdentityRegister, "assign">;
  /** Without it, what is broken at the start counts as not there. */
  readonly lastGood?: LastGood;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Waits for an editor or a copy to finish a burst of writes before reading. */
const DEBOUNCE_MILLISECONDS = 100;
/** What is replaced with all that is watched in it tells nothing: a symbolic link to a folder, a folder that is made anew. */
const LOOK_MILLISECONDS = 2_000;
const MANIFEST = /\.(ya?ml|json)$/;
const EMPTY: FileContent = { objects: 0, resources: [], credentials: new Map(), problems: [] };
const GONE: Version = { id: "gone", writtenAt: null };

/** What one process knows of the folder. */
interface Memory {
  /** The last good state of each file. */
  readonly good: Map<string, FileContent>;
  readonly settling: Settling;
  /** Files whose present version is not taken yet. */
  waiting: readonly string[];
  /** The versions of all files when they were read last. */
  read: string;
}

/** Resources from the manifests of one folder (not its sub-folders), re-read when something in it changes. */
export function directorySource(options: DirectoryOptions): ResourceSource {
  const memory: Memory = { good: new Map(), settling: new Settling(), waiting: [], read: "" };
  return {
    read: () => readAll(options, memory),
    watch: (listener) => watchDirectory(options, memory, listener),
  };
}

/** A file as it is now. */
interface Found {
  readonly name: string;
  readonly version: Version;
  readonly text?: string;
  readonly content: FileContent;
}

/**
 * What a file no longer declares is deleted, perhaps with its history, so it has to be meant: a file is empty for a moment when a shell
 * writes into it, and holds its first documents only while it is copied.
 */
async function readAll(options: DirectoryOptions, memory: Memory): Promise<Declared> {
  const { good } = memory;
  const names = await manifestsIn(options.directory);
  const gone = [...good.keys()].filter((name) => !names.includes(name)).map((name) => ({ name, version: GONE, content: EMPTY }));
  const files: Found[] = [...gone];
  for (const name of names) {
    files.push(await readOne(options, name));
    const earlier = good.has(name) ? undefined : await ofEarlierStart(options, name);
    if (earlier !== undefined) good.set(name, earlier);
  }
  memory.read = versionsOf(files.filter(({ version }) => version !== GONE));
  const problems = await takeGood(options, memory, judgeSecrets(files, good));
  const kept = [...new Set([...names, ...good.keys()])].sort();
  await options.lastGood?.only(kept);
  const merged = merge(kept.map((name) => ({ name, content: good.get(name) ?? EMPTY })));
  const resources = await identify(options, merged.resources);
  return { resources, credentials: merged.credentials, problems: [...problems, ...merged.problems] };
}

/** Trunks count of the state that will be in force, and that is not known before: of both. */
function judgeSecrets(files: readonly Found[], good: ReadonlyMap<string, FileContent>): Found[] {
  const named = namedSecrets([...files.map(({ content }) => content), ...good.values()].flatMap(({ resources }) => resources));
  return files.map((file) => {
    const { secretProblems = new Map<ResourceKey, readonly SourceProblem[]>(), problems } = file.content;
    const judged = [...secretProblems].flatMap(([key, found]) => (named.has(key) ? found : []));
    return judged.length === 0 ? file : { ...file, content: { ...file.content, problems: [...problems, ...judged] } };
  });
}

async function manifestsIn(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => MANIFEST.test(name) && !name.startsWith(".")).sort();
}

function versionsOf(files: readonly Pick<Found, "name" | "version">[]): string {
  return JSON.stringify(files.map(({ name, version }) => [name, version.id]));
}

/** @returns what keeps files from being taken */
async function takeGood(options: DirectoryOptions, memory: Memory, files: readonly Found[]): Promise<SourceProblem[]> {
  const { good, settling } = memory;
  const problems: SourceProblem[] = [];
  const waiting: string[] = [];
  // Before any file is taken: an object that moves from one file to another is in neither of them lost.
  const lost = lostObjects(files, good);
  for (const file of files) {
    const { name } = file;
    const isSettled = settling.isSettled(name, file.version, options.clock.now().getTime());
    const losses = lost.get(name) ?? [];
    const faults = faultsOf(file, losses);
    problems.push(...faults);
    if (faults.length > 0) continue;
    if (losses.length === 0 || isSettled) {
      await take(options, memory, file);
    } else {
      waiting.push(name);
      if (!memory.waiting.includes(name)) options.logger.info({ file: name, objects: losses.slice(0, MOST_NAMES), count: losses.length }, "a manifest declares less than before: it is taken when it has been left alone for 2 s");
    }
  }
  memory.waiting = waiting;
  return problems;
}

/** Enough to see what it is about. */
const MOST_NAMES = 5;

/** By file what it declared when it was good last, and no file declares now. */
function lostObjects(files: readonly Found[], good: ReadonlyMap<string, FileContent>): ReadonlyMap<string, readonly string[]> {
  const declared = new Set(files.flatMap(({ name, content }) => objectIds(content.problems.length === 0 ? content : good.get(name))));
  return new Map(files.map(({ name }) => [name, objectIds(good.get(name)).filter((id) => !declared.has(id))]));
}

function objectIds({ resources, credentials }: FileContent = EMPTY): string[] {
  return [...resources.map(objectId), ...[...credentials.keys()].map(secretId)];
}

function faultsOf({ name, version, content }: Found, losses: readonly string[]): readonly SourceProblem[] {
  if (content.problems.length > 0 || content.objects > 0 || version === GONE || losses.length === 0) return content.problems;
  return [{ file: name, document: null, field: null, message: "declares nothing any more: delete the file to delete what it declared" }];
}

async function take(options: DirectoryOptions, { good, settling }: Memory, { name, version, text, content }: Found): Promise<void> {
  if (version === GONE) {
    good.delete(name);
    settling.forget(name);
  } else {
    good.set(name, content);
    if (text !== undefined) await keep(options, name, text);
  }
}

async function readOne(options: DirectoryOptions, name: string): Promise<Found> {
  const path = join(options.directory, name);
  try {
    const text = await readFile(path, "utf8");
    // Afterwards: what was written meanwhile must not pass for the version before.
    return { name, version: await versionOf(path), text, content: options.parse(text, name) };
  } catch (error) {
    const problem = { file: name, document: null, field: null, message: `must be readable: ${messageOf(error)}` };
    return { name, version: await versionOf(path), content: { ...EMPTY, problems: [problem] } };
  }
}

async function versionOf(path: string): Promise<Version> {
  try {
    const { ino, size, mtimeMs } = await stat(path);
    return { id: `${ino} ${size} ${mtimeMs}`, writtenAt: mtimeMs };
  } catch (error) {
    return { id: messageOf(error), writtenAt: null };
  }
}

async function ofEarlierStart({ lastGood, parse }: DirectoryOptions, name: string): Promise<FileContent | undefined> {
  const text = await lastGood?.read(name);
  const content = text === undefined ? undefined : parse(text, name);
  return content?.problems.length === 0 ? content : undefined;
}

/** That it can't be kept must not hold up what is declared. */
async function keep({ lastGood, logger }: DirectoryOptions, name: string, text: string): Promise<void> {
  try {
    await lastGood?.keep(name, text);
  } catch (error) {
    logger.warn({ file: name, error: messageOf(error) }, "the last good state of a manifest could not be kept for the next start");
  }
}

/** One object may be declared once; a second declaration is refused, the first (by file name) stays. */
function merge(files: readonly { readonly name: string; readonly content: FileContent }[]): Omit<FileContent, "objects"> {
  const resources: AnyResource[] = [];
  const credentials = new Map<ResourceKey, Credentials>();
  const problems: SourceProblem[] = [];
  const declaredIn = new Map<string, string>();
  for (const { name, content } of files) {
    const isFirst = (id: string): boolean => {
      const first = declaredIn.get(id);
      if (first === undefined) declaredIn.set(id, name);
      else problems.push({ file: name, document: null, field: "metadata.name", message: `${id} must be declared once; it is already in ${first}` });
      return first === undefined;
    };
    resources.push(...content.resources.filter((resource) => isFirst(objectId(resource))));
    for (const [key, value] of content.credentials) if (isFirst(secretId(key))) credentials.set(key, value);
  }
  return { resources, credentials, problems };
}

async function identify(options: DirectoryOptions, resources: readonly AnyResource[]): Promise<AnyResource[]> {
  const identities = await options.identities.assign(new Map(resources.map((r) => [objectId(r), r.spec])), options.clock.now());
  return resources.map((resource) => {
    const identity = identities.get(objectId(resource));
    if (identity === undefined) return resource;
    const { uid, creationTimestamp, generation } = identity;
    return { ...resource, metadata: { ...resource.metadata, uid, creationTimestamp, generation } };
  });
}

function objectId(resource: AnyResource): string {
  return `${resource.kind} ${resource.metadata.namespace}/${resource.metadata.name}`;
}

function secretId(key: ResourceKey): string {
  return `Secret ${key}`;
}

async function watchDirectory(options: DirectoryOptions, memory: Memory, listener: () => void): Promise<() => Promise<void>> {
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(options.directory, { ignoreInitial: true, depth: 0 });
  watcher.on("all", () => {
    clearTimeout(timer);
    timer = setTimeout(listener, DEBOUNCE_MILLISECONDS);
  });
  watcher.on("error", (error) => options.logger.error({ error: messageOf(error) }, "cannot watch the manifests folder"));
  await new Promise<void>((resolve) => watcher.once("ready", resolve));
  const looks = repeat(lookAt(options.directory, memory, listener), {
    everyMs: LOOK_MILLISECONDS,
    failed: (error, again) => {
      // Who reads says what is wrong.
      if (!again) options.logger.debug({ error: messageOf(error) }, "the manifests folder could not be looked at");
    },
  });
  return async () => {
    clearTimeout(timer);
    await looks.stop();
    await watcher.close();
  };
}

/** Tells when the folder holds other versions than were read, once of each, and as long as some wait to be taken. */
function lookAt(directory: string, memory: Memory, listener: () => void): () => Promise<void> {
  let told = "";
  return async () => {
    const files = await Promise.all((await manifestsIn(directory)).map(async (name) => ({ name, version: await versionOf(join(directory, name)) })));
    const now = versionsOf(files);
    const isNew = now !== memory.read && now !== told;
    told = now;
    if (isNew || memory.waiting.length > 0) listener();
  };
}
