import { readdir, readFile, readlink } from "node:fs/promises";

/** What a process holds now. */
export interface Usage {
  /** Resident memory. */
  readonly megabytes: number;
  readonly files: number;
  /** Among the files. */
  readonly sockets: number;
  readonly threads: number;
  /** Of all its threads since its start. */
  readonly cpuSeconds: number;
}

/** Linux gives it in clock ticks of 10 ms, on every architecture (USER_HZ). */
const TICKS_A_SECOND = 100;

/** Resident memory alone: cheap enough to be looked at every second. */
export async function residentMegabytes(pid: number): Promise<number> {
  return Math.round(field(await readFile(`/proc/${pid}/status`, "utf8"), "VmRSS") / 1024);
}

export async function usageOf(pid: number): Promise<Usage> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const open = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(open.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => "")));
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13).map(Number);
  return {
    megabytes: Math.round(field(status, "VmRSS") / 1024),
    files: targets.length,
    sockets: targets.filter((target) => target.startsWith("socket:")).length,
    threads: field(status, "Threads"),
    cpuSeconds: ((user ?? 0) + (system ?? 0)) / TICKS_A_SECOND,
  };
}

function field(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+([0-9]+)`, "m").exec(status)?.[1]);
}
