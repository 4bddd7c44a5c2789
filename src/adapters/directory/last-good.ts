import { mkdir, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile } from "../../shared/files.ts";

/** The last text of each manifest that was without fault, for the next start: a file that is broken by then was not deleted. */
export interface LastGood {
  /** undefined for a file that never was. */
  read(name: string): Promise<string | undefined>;
  keep(name: string, text: string): Promise<void>;
  /** Forgets all others. */
  only(names: readonly string[]): Promise<void>;
}

/** Manifests hold secrets, so that nobody else may read the copies. @param folder made when it is not there */
export function lastGoodIn(folder: string): LastGood {
  const written = new Map<string, string>();
  const read = async (name: string): Promise<string | undefined> => readFile(join(folder, name), "utf8").catch(() => undefined);
  return {
    read,
    keep: async (name, text) => {
      if ((written.get(name) ?? (await read(name))) !== text) {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await replaceFile(join(folder, name), text);
      }
      written.set(name, text);
    },
    only: async (names) => {
      const kept = await readdir(folder).catch(() => []);
      for (const name of kept.filter((one) => !names.includes(one))) {
        written.delete(name);
        await unlink(join(folder, name)).catch(() => undefined);
      }
    },
  };
}
