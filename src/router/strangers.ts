import { open, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import type { Counter } from "prom-client";

import { STRANGERS_FILE } from "../domain/asterisk-names.ts";
import { messageOf } from "../domain/errors.ts";
import type { Logger } from "../domain/ports.ts";
import { repeat, type Repeated } from "../shared/repeat.ts";

export interface StrangersDeps {
  /** Asterisk's configuration folder. */
  readonly dir: string;
  readonly counter: Pick<Counter, "inc">;
  readonly logger: Logger;
}

const LOOK_MS = 2_000;
/** One for each request whose sender no trunk identifies (Asterisk's security event framework); what follows it is the sender's text. */
const REFUSED = /^\[[^\]]*\] SECURITY\[\d+\] res_security_log\.c: SecurityEvent="InvalidAccountID",/;

/**
 * Requests from addresses of no trunk: Asterisk answers them 401 by itself and writes a line for each. They are counted, and the file is
 * emptied: what was counted is not counted again, by whatever router, and a flood fills no disk while a router is there. Lines that come
 * between the reading and the emptying are lost.
 */
export function countStrangers({ dir, counter, logger }: StrangersDeps): Repeated {
  const file = join(dir, STRANGERS_FILE);
  const look = async () => {
    // An Asterisk with a configuration of its own may write none.
    const { size } = (await stat(file).catch(() => undefined)) ?? { size: 0 };
    if (size > 0) counter.inc(await takeLines(file));
  };
  return repeat(look, {
    everyMs: LOOK_MS,
    failed: (error, again) => logger[again ? "debug" : "warn"]({ file, error: messageOf(error) }, "refused requests of strangers could not be counted, trying again"),
  });
}

async function takeLines(path: string): Promise<number> {
  let refused = 0;
  for await (const line of (await open(path)).readLines()) {
    if (REFUSED.test(line)) refused += 1;
  }
  // Asterisk appends: it goes on at the beginning.
  await truncate(path);
  return refused;
}
