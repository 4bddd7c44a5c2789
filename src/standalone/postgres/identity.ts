import { readFile, stat } from "node:fs/promises";

import { onPath } from "../../shared/child-process.ts";

/** A user of this machine, by numbers. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** `nobody` on Debian, Red Hat and their relatives. */
const NOBODY: Identity = { uid: 65_534, gid: 65_534 };

/**
 * Whom PostgreSQL runs as; it refuses to run as root.
 * @returns undefined for "as we are", when we are not root; else the owner of data that exists, or `nobody`
 */
export async function serverIdentity(existingData: string | undefined): Promise<Identity | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  if (existingData !== undefined) {
    const { uid, gid } = await stat(existingData);
    if (uid !== 0) return { uid, gid };
  }
  return nobody();
}

async function nobody(): Promise<Identity> {
  const users = await readFile("/etc/passwd", "utf8").catch(() => "");
  const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(users) ?? [];
  return uid === undefined || gid === undefined || uid === "0" ? NOBODY : { uid: Number(uid), gid: Number(gid) };
}

/**
 * What to spawn so that a program runs as that user and gets SIGQUIT from the kernel when the thread that started it dies, whatever
 * it died of (prctl(2), PR_SET_PDEATHSIG). One tool does both, since changing the user clears that signal.
 * Without setpriv (util-linux) the program can outlive a parent that was killed with SIGKILL.
 */
export function guarded(program: string, identity: Identity | undefined): { command: readonly string[]; options: Partial<Identity>; guard: boolean } {
  if (!onPath("setpriv")) return { command: [program], options: identity ?? {}, guard: false };
  const user = identity === undefined ? [] : ["--reuid", String(identity.uid), "--regid", String(identity.gid), "--clear-groups"];
  return { command: ["setpriv", ...user, "--pdeathsig", "QUIT", "--", program], options: {}, guard: true };
}
