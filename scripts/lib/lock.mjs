import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SetUpError } from "./errors.mjs";

const POLL_MS = 250;
/** The longest set-up step (building the Kubernetes control plane on a busy machine) stays well below this. */
const WAIT_LIMIT_MS = 2_400_000;

/**
 * Runs `action` while no other process holds the lock. A lock whose holder is gone is taken over.
 * @template T
 * @param {string} path file that stands for the lock
 * @param {() => Promise<T>} action
 * @param {(note: string) => void} progress
 * @returns {Promise<T>}
 */
export async function withLock(path, action, progress) {
  await mkdir(dirname(path), { recursive: true });
  const deadline = Date.now() + WAIT_LIMIT_MS;
  let told = false;
  while (!(await take(path))) {
    const holder = await readHolder(path);
    if (holder === undefined || !isAlive(holder)) await rm(path, { force: true });
    else if (Date.now() > deadline) {
      throw new SetUpError("The set-up cannot start", `process ${holder} has been setting up for too long`, `end it, or remove ${path}`);
    } else if (!told) {
      progress(`waiting for another set-up (process ${holder})`);
      told = true;
    }
    await sleep(POLL_MS);
  }
  try {
    return await action();
  } finally {
    await rm(path, { force: true });
  }
}

/** @param {string} path */
async function take(path) {
  try {
    await writeFile(path, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "EEXIST") return false;
    throw error;
  }
}

/** @param {string} path */
async function readHolder(path) {
  const pid = Number(await readFile(path, "utf8").catch(() => ""));
  return Number.isInteger(pid) && pid > 0 ? pid : undefined;
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}
