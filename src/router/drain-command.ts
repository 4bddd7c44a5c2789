import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

import { rootCauseOf } from "../domain/errors.ts";
import { ConfigError, readEnv } from "../shared/env.ts";
import { whole } from "../shared/variables.ts";

/** Everything that `dialplane drain` reads. */
export const environment = z.object({
  DIALPLANE_HEALTH_PORT: whole(1, 65_535, 8_081),
  DIALPLANE_DRAIN_SECONDS: whole(1, 86_400, 3_600),
});

const report = z.object({ draining: z.boolean(), channels: z.number().nullable(), calls: z.number(), records: z.number() });
type Report = z.infer<typeof report>;

const LOOK_MS = 500;
/** Asterisk that is restarted answers again by then, and one that can't be asked for so long has ended: its own hook ends first when no call is left. */
const GONE_MS = 10_000;
/** Longer than the router waits for an Asterisk that hangs. */
const ANSWER_MS = 30_000;

interface Output {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/**
 * `dialplane drain`, a preStop hook: tells the router of this pod to take no new calls and waits until none is left.
 *
 * @returns 0 when no call and no unwritten record is left, 1 when DIALPLANE_DRAIN_SECONDS were over before or the router is gone
 * @throws ConfigError
 */
export async function drainCommand(env: NodeJS.ProcessEnv, { stdout, stderr }: Output): Promise<number> {
  const config = readEnv(environment, env);
  const url = `http://127.0.0.1:${config.DIALPLANE_HEALTH_PORT}/drain`;
  const deadline = performance.now() + config.DIALPLANE_DRAIN_SECONDS * 1000;
  try {
    const isDrained = watchFor(GONE_MS);
    let now = await ask(url, "POST");
    let drained = isDrained(now);
    stdout.write(`draining: ${describe(now)}\n`);
    while (!drained && performance.now() < deadline) {
      await sleep(LOOK_MS);
      now = await ask(url, "GET");
      drained = isDrained(now);
    }
    stdout.write(drained ? "drained\n" : `not drained within ${config.DIALPLANE_DRAIN_SECONDS} s: ${describe(now)}\n`);
    return drained ? 0 : 1;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    stderr.write(`dialplane: the router can't be asked at ${url}: ${rootCauseOf(error)}\n`);
    return 1;
  }
}

async function ask(url: string, method: "GET" | "POST"): Promise<Report> {
  const response = await fetch(url, { method, signal: AbortSignal.timeout(ANSWER_MS) });
  if (!response.ok) throw new Error(`it answered ${response.status}`);
  return report.parse(await response.json());
}

/** Whether nothing is left, by one report after another. Asterisk that can't be asked may hold calls, until that has lasted for `goneMs`. */
function watchFor(goneMs: number): (now: Report) => boolean {
  let asked = performance.now();
  return ({ channels, calls, records }) => {
    if (channels !== null) asked = performance.now();
    const gone = channels === null && performance.now() >= asked + goneMs;
    return (channels === 0 || (gone && calls === 0)) && records === 0;
  };
}

function describe({ channels, calls, records }: Report): string {
  return `${channels === null ? `Asterisk can't be asked, ${calls} calls are live` : `${channels} channels`}, ${records} records to write`;
}
