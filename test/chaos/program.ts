import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";

/** A program whose output goes to a file: a run of many minutes writes much. The kernel kills it when this process dies. */
export interface Program {
  readonly pid: number;
  readonly exited: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
}

export function startProgram(command: readonly string[], outputFile: string, options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}): Program {
  const output = openSync(outputFile, "a");
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...command], { stdio: ["ignore", output, output], ...options });
  closeSync(output);
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  return { pid: child.pid ?? -1, exited, kill: (signal) => void child.kill(signal) };
}

/** Sends a signal to a process and to its children, some of which may have ended meanwhile. */
export async function signalFamily(pid: number, signal: NodeJS.Signals): Promise<void> {
  for (const one of await familyOf(pid)) {
    try {
      process.kill(one, signal);
    } catch {
      continue;
    }
  }
}

async function familyOf(pid: number): Promise<readonly number[]> {
  const all = (await readdir("/proc")).filter((name) => /^[0-9]+$/.test(name));
  const parents = await Promise.all(all.map(async (name) => ({ pid: Number(name), parent: await parentOf(name) })));
  return [pid, ...parents.filter(({ parent }) => parent === pid).map((entry) => entry.pid)];
}

async function parentOf(pid: string): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1] ?? 0);
}
