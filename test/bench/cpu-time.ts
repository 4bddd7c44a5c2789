import { readdir, readFile } from "node:fs/promises";

/** USER_HZ of every Linux that Node.js runs on. */
const TICKS_A_SECOND = 100;

/** CPU time of a process and all its threads so far, in milliseconds (proc(5): utime and stime). */
export async function cpuMs(pid: number): Promise<number> {
  const [user, system] = (await fields(pid)).slice(11, 13).map(Number);
  return (((user ?? 0) + (system ?? 0)) * 1000) / TICKS_A_SECOND;
}

/** The same with its children, those that have ended and were waited for included: a PostgreSQL with its backends. */
export async function cpuMsWithChildren(pid: number): Promise<number> {
  const [, , childUser, childSystem] = (await fields(pid)).slice(11, 15).map(Number);
  const ended = (((childUser ?? 0) + (childSystem ?? 0)) * 1000) / TICKS_A_SECOND;
  const living = await Promise.all((await children(pid)).map((child) => cpuMs(child).catch(() => 0)));
  return (await cpuMs(pid)) + ended + living.reduce((sum, ms) => sum + ms, 0);
}

async function children(pid: number): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = await Promise.all(pids.map(async (child) => Number((await fields(child).catch(() => []))[1])));
  return pids.filter((_, index) => parents[index] === pid);
}

/** From the third field of /proc/PID/stat on: the second is a name with whatever it likes in it. */
async function fields(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}
