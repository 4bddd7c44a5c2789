import { basename, dirname, join } from "node:path";

import { ExpectedError, messageOf } from "../../domain/errors.ts";
import { readIfThere, removeFile, replaceFile } from "./replace-file.ts";
import { serialise } from "./serialise.ts";

/** One file of Asterisk's configuration and how to find out what came of it. */
export interface Installation {
  readonly file: string;
  readonly content: string;
  /** Makes Asterisk read its files again. */
  readonly reload: () => Promise<void>;
  /** Answers when Asterisk runs exactly `content`. @throws otherwise, saying what is missing */
  readonly verify: (content: string) => Promise<void>;
}

/**
 * Writes, reloads and verifies; when Asterisk doesn't come to run the new content, puts the last verified content back, so that
 * calls go on as before. Needed because a reload answers success even when it dropped half a file. One at a time per file.
 *
 * @throws ExpectedError with the reason; code Unavailable unless the cause has one of its own
 */
export function install(installation: Installation): Promise<void> {
  return serialise(installation.file, () => installNow(installation));
}

async function installNow({ file, content, reload, verify }: Installation): Promise<void> {
  const kept = lastGoodOf(file);
  const lastGood = (await readIfThere(kept)) ?? (await readIfThere(file));
  await replaceFile(file, content);
  try {
    await reload();
    await verify(content);
  } catch (error) {
    const outcome = await restore({ file, content: lastGood ?? "", reload, verify }, lastGood === null);
    throw new ExpectedError(
      error instanceof ExpectedError ? error.code : "Unavailable",
      `Asterisk did not take ${basename(file)} (${messageOf(error)}); ${outcome}`,
      { cause: error },
    );
  }
  await replaceFile(kept, content);
}

/** Beside the file, under a name that Asterisk doesn't include. */
function lastGoodOf(file: string): string {
  return join(dirname(file), `.${basename(file)}.last-good`);
}

async function restore({ file, content, reload, verify }: Installation, wasAbsent: boolean): Promise<string> {
  try {
    await (wasAbsent ? removeFile(file) : replaceFile(file, content));
    await reload();
    if (!wasAbsent) await verify(content);
    return wasAbsent ? "there was none before" : "the last good one runs";
  } catch (error) {
    return `the last good one could not be restored either: ${messageOf(error)}`;
  }
}
