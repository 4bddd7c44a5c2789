import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { ExpectedError, messageOf } from "../../domain/errors.ts";

/** An Asterisk that can be started. */
export interface AsteriskLocation {
  /** Program and first arguments; `-f -C FILE` (run) or `-C FILE -rx COMMAND` (CLI) follow. */
  readonly command: readonly [string, ...string[]];
  readonly version: string;
  readonly modulesDir: string;
  readonly dataDir: string;
  readonly source: "PATH" | "ASTERISK_ROOT" | "cache";
}

/** The oldest release with `StasisBroadcast()`. */
const OLDEST = [22, 10] as const;
const REPOSITORY_CACHE = fileURLToPath(new URL("../../../.cache", import.meta.url));
/** In the cache, as set-up unpacks it. */
const CACHED_TREE = "asterisk/root";
const run = promisify(execFile);

/**
 * Finds Asterisk, 22.10 or newer: the unpacked tree ASTERISK_ROOT where it is named, `asterisk` on PATH otherwise, else the one that set-up keeps in the cache.
 *
 * @param env PATH and ASTERISK_ROOT are read
 * @throws ExpectedError MissingPart, saying how to get it
 */
export async function locateAsterisk(env: Readonly<Record<string, string | undefined>>): Promise<AsteriskLocation> {
  const refusals: string[] = [];
  for (const candidate of candidates(env)) {
    const found = await probe(candidate).catch((error: unknown) => messageOf(error));
    if (typeof found !== "string") {
      return found;
    }
    refusals.push(`${candidate.source}: ${found}`);
  }
  throw new ExpectedError(
    "MissingPart",
    `Asterisk ${OLDEST.join(".")} or newer was not found (${refusals.join("; ")}). Install it on PATH, ` +
      "set ASTERISK_ROOT to a folder with an unpacked Asterisk, or let `npm run demo` fetch one",
    { field: "ASTERISK_ROOT" },
  );
}

interface Candidate {
  readonly source: AsteriskLocation["source"];
  readonly program: string;
  /** Set for an unpacked tree: it runs with its own loader and libraries, the host's stay as they are. */
  readonly root?: string;
}

function candidates(env: Readonly<Record<string, string | undefined>>): Candidate[] {
  const onPath = (env["PATH"] ?? "").split(delimiter).concat("/usr/sbin").filter((dir) => dir !== "").map((dir) => join(dir, "asterisk"));
  const named = env["ASTERISK_ROOT"] ?? "";
  // Whoever names one means it, and no other.
  if (named !== "") return [inTree("ASTERISK_ROOT", resolve(named))];
  return [
    { source: "PATH", program: onPath.find((file) => existsSync(file)) ?? "asterisk" },
    inTree("cache", join(resolve(env["DIALPLANE_CACHE_DIR"] || REPOSITORY_CACHE), CACHED_TREE)),
  ];
}

function inTree(source: Candidate["source"], root: string): Candidate {
  return { source, root, program: join(root, "usr/sbin/asterisk") };
}

async function probe(candidate: Candidate): Promise<AsteriskLocation> {
  if (!existsSync(candidate.program)) {
    throw new Error(candidate.root === undefined ? "no asterisk" : `no ${candidate.program}`);
  }
  const libraries = libraryDir(candidate.root);
  const command = commandOf(candidate, libraries);
  const { stdout } = await run(command[0], [...command.slice(1), "-V"], { timeout: 10_000 });
  const version = /\d+\.\d+(\.\d+)?/.exec(stdout)?.[0];
  if (version === undefined || !isRecent(version)) {
    throw new Error(`${candidate.program} is ${version ?? "of an unknown version"}`);
  }
  return { command, version, source: candidate.source, ...directories(candidate.root ?? "/", libraries) };
}

function commandOf(candidate: Candidate, libraries: string | undefined): AsteriskLocation["command"] {
  if (candidate.root === undefined) {
    return [candidate.program];
  }
  const loader = libraries === undefined ? undefined : readdirSync(libraries).find((name) => /^ld-linux.*\.so\.\d+$/.test(name));
  if (libraries === undefined || loader === undefined) {
    throw new Error(`no loader (ld-linux*.so) below ${join(candidate.root, "usr/lib")}`);
  }
  return [join(libraries, loader), "--library-path", libraries, candidate.program];
}

/** Debian's multiarch folder (`usr/lib/x86_64-linux-gnu`), below `root`. */
function libraryDir(root: string | undefined): string | undefined {
  const lib = join(root ?? "/", "usr/lib");
  const name = existsSync(lib) ? readdirSync(lib).find((entry) => entry.endsWith("-linux-gnu")) : undefined;
  return name === undefined ? undefined : join(lib, name);
}

function directories(root: string, libraries: string | undefined): { modulesDir: string; dataDir: string } {
  const modules = [libraries, join(root, "usr/lib64"), join(root, "usr/lib"), join(root, "usr/local/lib")]
    .filter((dir) => dir !== undefined)
    .map((dir) => join(dir, "asterisk/modules"));
  const data = ["usr/share/asterisk", "var/lib/asterisk"].map((dir) => join(root, dir));
  return { modulesDir: firstExisting(modules, "chan_pjsip.so"), dataDir: firstExisting(data, "documentation") };
}

function firstExisting(dirs: readonly string[], witness: string): string {
  const found = dirs.find((dir) => existsSync(join(dir, witness)));
  if (found === undefined) {
    throw new Error(`no ${witness} in ${dirs.join(", ")}`);
  }
  return found;
}

function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
