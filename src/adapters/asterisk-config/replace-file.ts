import { open, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { ExpectedError, wrap } from "../../domain/errors.ts";

/**
 * Replaces a file so that a reader sees the old content or the new one, also after a power cut: written under a name that
 * Asterisk's `#include *.conf` doesn't match, synced, renamed, folder synced. Readable by this user alone.
 *
 * @throws ExpectedError PermissionDenied, NotFound (no such folder) or Unavailable (disk full), naming the file
 */
export async function replaceFile(file: string, content: string): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.${process.pid}.tmp`);
  try {
    await writeSynced(temporary, content);
    await rename(temporary, file);
    await syncFolder(dirname(file));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw refusal(file, error);
  }
}

/** The content, null when there is no such file. */
export async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw refusal(file, error);
  }
}

export async function removeFile(file: string): Promise<void> {
  await rm(file, { force: true });
  await syncFolder(dirname(file));
}

async function writeSynced(file: string, content: string): Promise<void> {
  const handle = await open(file, "w", 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function refusal(file: string, error: unknown): Error {
  const doing = `replacing ${file}`;
  switch ((error as NodeJS.ErrnoException).code) {
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return wrap(doing, new ExpectedError("PermissionDenied", "no permission to write", { cause: error }));
    case "ENOENT":
      return wrap(doing, new ExpectedError("NotFound", "the folder does not exist", { cause: error }));
    case "ENOSPC":
    case "EDQUOT":
      return wrap(doing, new ExpectedError("Unavailable", "no space left", { cause: error }));
    default:
      return wrap(doing, error);
  }
}
