import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface TestProcess {
  readonly pid: number;
  /** Everything it wrote so far to stdout and stderr. */
  output(): string;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, SIGKILL after 3 s; resolves when it is gone. */
  stop(): Promise<void>;
}

/** Starts a program that the kernel kills when this test process dies. */
export function startProcess(command: readonly [string, ...string[]], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): TestProcess {
  const setpriv = findOnPath("setpriv");
  const guard = setpriv === undefined ? [] : [setpriv, "--pdeathsig", "KILL", "--"];
  const [program = "", ...rest] = [...guard, ...command];
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"], ...options });
  const written: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => written.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => written.push(chunk));
  const exited = new Promise<Awaited<TestProcess["exited"]>>((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }));
    child.once("error", (error) => {
      written.push(Buffer.from(error.message));
      resolve({ code: null, signal: null });
    });
  });
  const stop = async () => {
    child.kill("SIGTERM");
    if ((await Promise.race([exited.then(() => "gone"), sleep(3_000, "alive", { ref: false })])) === "alive") {
      child.kill("SIGKILL");
    }
    await exited;
  };
  return { pid: child.pid ?? -1, output: () => Buffer.concat(written).toString("utf8"), exited, kill: (signal) => void child.kill(signal), stop };
}

export function findOnPath(program: string): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((dir) => dir !== "")
    .map((dir) => join(dir, program))
    .find((file) => existsSync(file));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Polls until `probe` answers something else than undefined or false; fails with `what` after `timeoutMs`. */
export async function eventually<T>(what: string, probe: () => T | Promise<T>, timeoutMs = 10_000): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== null && value !== false) {
      return value;
    }
    if (Date.now() > deadline) {
      throw new Error(`${what} did not happen within ${timeoutMs} ms`);
    }
    await sleep(25);
  }
}

/** A folder of its own below the system's temporary folder; `remove` takes it away again. */
export async function temporaryFolder(name: string): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `dialplane-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) };
}
