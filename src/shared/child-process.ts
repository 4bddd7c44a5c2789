import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How a process ended; both null for one that could not be started. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", () => resolve({ code: null, signal: null }));
  });
}

/** Asks it to end by `signal`, and ends it by SIGKILL after `killAfterMs`. Resolves when it is gone; may be called again. */
export async function terminate(child: ChildProcess, exited: Promise<Exit>, { signal, killAfterMs }: { readonly signal: NodeJS.Signals; readonly killAfterMs: number }): Promise<void> {
  child.kill(signal);
  const deadline = new AbortController();
  const killer = sleep(killAfterMs, undefined, { signal: deadline.signal }).then(
    () => child.kill("SIGKILL"),
    () => false,
  );
  await exited;
  deadline.abort();
  await killer;
}

export function onPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((dir) => dir !== "" && existsSync(join(dir, program)));
}
