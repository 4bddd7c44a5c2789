import { rm } from "node:fs/promises";
import { dirname } from "node:path";

import { ExpectedError, wrap } from "../../domain/errors.ts";
import * as files from "../../shared/files.ts";

/**
 * As `replaceFile` of all: what is half written has a name that Asterisk's `#include *.conf` doesn't match.
 *
 * @throws ExpectedError PermissionDenied, NotFound (no such folder) or Unavailable (disk full), naming the file
 */
export async function replaceFile(file: string, content: string): Promise<void> {
  await files.replaceFile(file, content).catch((error: unknown) => Promise.reject(refusal(file, error)));
}

/** The content, null when there is no such file. */
export async function readIfThere(file: string): Promise<string | null> {
  return files.readIfThere(file).catch((error: unknown) => Promise.reject(refusal(file, error)));
}

export async function removeFile(file: string): Promise<void> {
  await rm(file, { force: true });
  await files.syncFolder(dirname(file));
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
