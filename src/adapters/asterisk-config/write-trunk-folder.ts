import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { messageOf } from "../../domain/errors.ts";
import type { Logger, TrunkSink } from "../../domain/ports.ts";
import { newTrunkRevision, readTrunkFile, TRUNK_FILE, trunkFile } from "../../domain/trunk-file.ts";
import { readIfThere, replaceFile } from "./replace-file.ts";

/** Trunks into a folder of this machine, where the router finds them as it would find a mounted Secret. */
export function folderTrunks(folder: string, logger: Logger): TrunkSink {
  const file = join(folder, TRUNK_FILE);
  return {
    write: async (trunks) => {
      const present = await presentIn(file, logger);
      if (present?.trunks.content === trunks.content) return { revision: present.revision };
      const revision = newTrunkRevision();
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await replaceFile(file, trunkFile({ revision, trunks }));
      return { revision };
    },
  };
}

async function presentIn(file: string, logger: Logger) {
  const text = await readIfThere(file);
  if (text === null) return null;
  try {
    return readTrunkFile(text);
  } catch (error) {
    logger.warn({ error: messageOf(error) }, "the file of trunks is damaged and written anew");
    return null;
  }
}
