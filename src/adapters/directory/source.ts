import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { watch } from "chokidar";
import { messageOf } from "../../domain/errors.ts";
import type { Clock, Credentials, Declared, Logger, ResourceSource, SourceProblem } from "../../domain/ports.ts";
import type { AnyResource } from "../../domain/resources.ts";
import type { ResourceKey } from "../../domain/types.ts";
import type { IdentityRegister } from "./identity.ts";
import type { LastGood } from "./last-good.ts";

/** What a reader makes of one file; a file with any problem is not taken at all. */
export interface FileContent {
  readonly resources: readonly AnyResource[];
  readonly credentials: ReadonlyMap<ResourceKey, Credentials>;
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
const MANIFEST = /\.(ya?ml|json)$/;
const EMPTY: FileContent = { resources: [], credentials: new Map(), problems: [] };

/** Resources from the manifests of one folder (not its sub-folders), re-read when something in it changes. */
export function directorySource(options: DirectoryOptions): ResourceSource {
  const good = new Map<string, FileContent>();
  return {
    read: () => readAll(options, good),
    watch: (listener) => watchDirectory(options, listener),
  };
}

/** @param good the last good state of each file, as far as this process knows it */
async function readAll(options: DirectoryOptions, good: Map<string, FileContent>): Promise<Declared> {
  const names = (await readdir(options.directory)).filter((name) => MANIFEST.test(name) && !name.startsWith(".")).sort();
  for (const gone of [...good.keys()].filter((name) => !names.includes(name))) good.delete(gone);
  const problems: SourceProblem[] = [];
  for (const name of names) {
    const { text, content } = await readOne(options, name);
    problems.push(...content.problems);
    const state = content.problems.length === 0 ? content : (good.get(name) ?? (await ofEarlierStart(options, name)));
    if (state !== undefined) good.set(name, state);
    if (state === content && text !== undefined) await keep(options, name, text);
  }
  await options.lastGood?.only(names);
  const merged = merge(names.map((name) => ({ name, content: good.get(name) ?? EMPTY })));
  const resources = await identify(options, merged.resources);
  return { resources, credentials: merged.credentials, problems: [...problems, ...merged.problems] };
}

async function readOne(options: DirectoryOptions, name: string): Promise<{ readonly text?: string; readonly content: FileContent }> {
  try {
    const text = await readFile(join(options.directory, name), "utf8");
    return { text, content: options.parse(text, name) };
  } catch (error) {
    return { content: { ...EMPTY, problems: [{ file: name, document: null, field: null, message: `must be readable: ${messageOf(error)}` }] } };
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
function merge(files: readonly { readonly name: string; readonly content: FileContent }[]): FileContent {
  const resources = new Map<string, AnyResource>();
  const credentials = new Map<ResourceKey, Credentials>();
  const problems: SourceProblem[] = [];
  const declaredIn = new Map<string, string>();
  for (const { name, content } of files) {
    for (const resource of content.resources) {
      const id = objectId(resource);
      const first = declaredIn.get(id);
      if (first === undefined) {
        declaredIn.set(id, name);
        resources.set(id, resource);
      } else {
        problems.push({ file: name, document: null, field: "metadata.name", message: `${id} must be declared once; it is already in ${first}` });
      }
    }
    for (const [key, value] of content.credentials) credentials.set(key, value);
  }
  return { resources: [...resources.values()], credentials, problems };
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

async function watchDirectory(options: DirectoryOptions, listener: () => void): Promise<() => Promise<void>> {
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(options.directory, { ignoreInitial: true, depth: 0 });
  watcher.on("all", () => {
    clearTimeout(timer);
    timer = setTimeout(listener, DEBOUNCE_MILLISECONDS);
  });
  watcher.on("error", (error) => options.logger.error({ error: messageOf(error) }, "cannot watch the manifests folder"));
  await new Promise<void>((resolve) => watcher.once("ready", resolve));
  return async () => {
    clearTimeout(timer);
    await watcher.close();
  };
}
