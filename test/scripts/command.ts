import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../../scripts/lib/paths.mjs";

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Starts a script of this checkout; the environment is exactly what is given. */
export function startScript(name: string, args: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [join(ROOT, "scripts", name), ...args], { env, cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const result: CommandResult = { code: null, stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => void (result.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => void (result.stderr += chunk.toString()));
  const ended = new Promise<CommandResult>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ ...result, code }));
  });
  return { child, result, ended };
}

export function runScript(name: string, args: readonly string[], env: Record<string, string>): Promise<CommandResult> {
  return startScript(name, args, env).ended;
}
