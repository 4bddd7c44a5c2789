import { spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { constants as osConstants } from "node:os";
import { delimiter, join } from "node:path";

/** @typedef {{ code: number, stdout: string, stderr: string, output: string }} RunResult `output` is both streams in order of arrival */

/**
 * Runs a program to its end and collects what it prints. Never throws: a program that cannot start has code 127.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number }} [options] default time limit 10 s
 * @returns {Promise<RunResult>}
 */
export function run(command, args, options = {}) {
  const { cwd, env = process.env, timeoutMs = 10_000 } = options;
  return new Promise((done) => {
    const result = { code: 127, stdout: "", stderr: "", output: "" };
    const child = spawn(command, args, { ...(cwd ? { cwd } : {}), env, stdio: ["ignore", "pipe", "pipe"], timeout: timeoutMs });
    /** @param {"stdout" | "stderr"} stream @param {Buffer} chunk */
    const collect = (stream, chunk) => {
      result[stream] += chunk.toString();
      result.output += chunk.toString();
    };
    child.stdout.on("data", (/** @type {Buffer} */ chunk) => collect("stdout", chunk));
    child.stderr.on("data", (/** @type {Buffer} */ chunk) => collect("stderr", chunk));
    child.on("error", (error) => done({ ...result, output: result.output + error.message }));
    child.on("close", (code, signal) => {
      const note = signal ? `\n${command} ended by ${signal} (time limit ${timeoutMs / 1000} s)` : "";
      done({ ...result, code: code ?? 1, output: result.output + note });
    });
  });
}

/**
 * Where a command is on PATH.
 * @param {string} name
 * @param {NodeJS.ProcessEnv} env
 * @returns {string | undefined}
 */
export function which(name, env) {
  const folders = (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** @param {string} path */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

export function isRoot() {
  return process.getuid?.() === 0;
}

/** Last lines of a program's output, enough to see why it failed. @param {string} output */
export function tail(output, lines = 15) {
  return output.trim().split("\n").slice(-lines).join("\n");
}

/**
 * Runs a program in the foreground: its streams are ours, signals are passed on.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>} its exit code; 128 + signal number when a signal ended it
 */
export function runForeground(command, args, env) {
  const child = spawn(command, args, { env, stdio: "inherit" });
  /** @type {NodeJS.Signals[]} */
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  /** @param {NodeJS.Signals} signal */
  const forward = (signal) => {
    // A terminal sends Ctrl-C to the whole process group: the child has it already.
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, forward);
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("exit", (code, signal) => {
      for (const name of signals) process.off(name, forward);
      done(signal ? 128 + osConstants.signals[signal] : (code ?? 1));
    });
  });
}
