import { watch } from "node:fs";
import { join } from "node:path";

import { ExpectedError } from "../../domain/errors.ts";
import { readTrunkFile, TRUNK_FILE, type TrunkFile } from "../../domain/trunk-file.ts";
import { readIfThere } from "./replace-file.ts";

/**
 * The trunks that a folder holds: a mounted Secret, or what `folderTrunks` wrote. One file, opened once: a swap of the mount (`..data`
 * is a symbolic link that is replaced, Kubernetes AtomicWriter) gives the old content or the new one.
 *
 * @throws ExpectedError NotFound while there is none, InvalidInput for a damaged one
 */
export async function readTrunkFolder(folder: string): Promise<TrunkFile> {
  const text = await readIfThere(join(folder, TRUNK_FILE));
  if (text === null) {
    throw new ExpectedError("NotFound", `there is no ${TRUNK_FILE} in the folder of trunks yet: the operator has not written it, or the Secret is not mounted`, { field: TRUNK_FILE });
  }
  return readTrunkFile(text);
}

/**
 * Calls the listener soon after the folder may have changed. A hint: a folder that is not there yet, or on a file system without
 * notifications, is silent, so whoever needs the truth reads it from time to time.
 */
export function watchTrunkFolder(folder: string, listener: () => void): { ensure(): void; stop(): void } {
  let watcher: ReturnType<typeof watch> | undefined;
  const forget = () => {
    watcher?.close();
    watcher = undefined;
  };
  return {
    ensure: () => {
      if (watcher !== undefined) return;
      try {
        watcher = watch(folder, listener).on("error", forget);
      } catch {
        watcher = undefined;
      }
    },
    stop: forget,
  };
}
