import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { LOGS } from "./call-world.ts";

/** Somebody's phone rang for a caller. Times in milliseconds of the epoch, null: that did not happen. */
export interface Ring {
  readonly by: "desk" | "fallback";
  readonly rang: number;
  readonly answered: number | null;
  /** Was hung up. */
  readonly over: number | null;
}

/** What one caller and those who were called wrote down. Every caller calls once, with a number of their own. */
export interface CallStory {
  readonly caller: string;
  readonly asked: number;
  readonly answered: number | null;
  /** The caller hung up. */
  readonly over: number | null;
  /** The other side hung up. */
  readonly cut: number | null;
  readonly rings: readonly Ring[];
}

interface Line {
  readonly caller: string;
  readonly what: string;
  readonly at: number;
}

/** SIPp writes a time as date, time of day and seconds of the epoch. */
const LINE = /^(\+[0-9]+) ([a-z]+) \S+\s+\S+\s+([0-9.]+)$/;

export async function readStories(folder: string): Promise<readonly CallStory[]> {
  const stories = new Map<string, CallStory>();
  for (const { caller, what, at } of await readLog(join(folder, LOGS.callers))) {
    const known = stories.get(caller) ?? { caller, asked: at, answered: null, over: null, cut: null, rings: [] };
    stories.set(caller, what === "asked" ? known : { ...known, [what]: at });
  }
  for (const by of ["desk", "fallback"] as const) {
    for (const [caller, rings] of ringsOf(by, await readLog(join(folder, LOGS[by])))) {
      const story = stories.get(caller);
      if (story === undefined) throw new Error(`${by} was called for ${caller}, who never called`);
      stories.set(caller, { ...story, rings: [...story.rings, ...rings] });
    }
  }
  return [...stories.values()];
}

function ringsOf(by: Ring["by"], lines: readonly Line[]): ReadonlyMap<string, readonly Ring[]> {
  const rings = new Map<string, Ring[]>();
  for (const { caller, what, at } of lines) {
    const own = rings.get(caller) ?? [];
    rings.set(caller, own);
    const last = own.at(-1);
    if (what === "rang") own.push({ by, rang: at, answered: null, over: null });
    else if (last !== undefined && (what === "answered" || what === "over")) own[own.length - 1] = { ...last, [what]: at };
  }
  return rings;
}

async function readLog(file: string): Promise<readonly Line[]> {
  const lines: Line[] = [];
  for await (const text of linesOf(file)) {
    const [, caller, what, seconds] = LINE.exec(text) ?? [];
    if (caller !== undefined && what !== undefined) lines.push({ caller, what, at: Number(seconds) * 1000 });
  }
  return lines;
}

/** Ids of the calls that routers took. */
export async function readTaken(folder: string): Promise<ReadonlySet<string>> {
  const taken = new Set<string>();
  for await (const line of linesOf(join(folder, LOGS.router))) {
    const id = line.includes('"call received"') ? /"call":"([^"]+)"/.exec(line)?.[1] : undefined;
    if (id !== undefined) taken.add(id);
  }
  return taken;
}

export function linesOf(file: string): AsyncIterable<string> {
  return createInterface({ input: createReadStream(file), crlfDelay: Infinity });
}
