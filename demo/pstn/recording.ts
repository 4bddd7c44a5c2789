import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { parseWav } from "./wav.ts";

/** Asterisk closes a recording a moment after its call ended. */
const CLOSING_MS = 2_000;

/**
 * The samples of a recording: of the complete file, or of what is on disk when it is not closed in time.
 * A file that does not exist is an empty recording.
 */
export async function readRecording(file: string): Promise<Float64Array> {
  const deadline = Date.now() + CLOSING_MS;
  for (;;) {
    const { samples, complete } = parseWav(await readFile(file).catch(() => Buffer.alloc(0)));
    if (complete || Date.now() > deadline) {
      return samples;
    }
    await sleep(25);
  }
}
