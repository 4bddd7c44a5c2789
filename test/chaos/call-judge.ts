import type { CallStory, Ring } from "./call-log.ts";

/** A fault, and from when to when; milliseconds of the epoch. */
export interface FaultWindow {
  readonly fault: string;
  readonly from: number;
  readonly to: number;
}

export interface StoredCall {
  readonly id: string;
  readonly caller: string | null;
  /** null: still open. */
  readonly end: string | null;
  readonly answered: boolean;
}

export interface Evidence {
  readonly stories: readonly CallStory[];
  readonly windows: readonly FaultWindow[];
  readonly records: readonly StoredCall[];
  /** Ids of calls that routers say they took. */
  readonly taken: ReadonlySet<string>;
  /** What is in Asterisk and in the database's list of live legs when all is over. */
  readonly left: { readonly channels: number; readonly bridges: number; readonly liveLegs: number };
  /** SIPp's own count of calls that did not go as its scenario says. */
  readonly sippFailed: number;
}

export interface FaultRow {
  readonly fault: string;
  readonly times: number;
  /** Calls that waited for an answer, and that were talking, while it lasted. */
  readonly setUp: number;
  readonly bridged: number;
  /** Of those in set-up: answered by the pool's default destination. */
  readonly byDefault: number;
  readonly pickedUpInVain: number;
  readonly reachedNobody: number;
  readonly bridgedLost: number;
  /** Longest wait for an answer, in seconds. */
  readonly longestWaitSeconds: number;
}

export interface Verdict {
  readonly calls: number;
  readonly byDesk: number;
  readonly byDefault: number;
  readonly reachedNobody: number;
  readonly bridgedLost: number;
  /** Somebody was rung while somebody who had answered was on the line; not where the answer crossed with being hung up. */
  readonly dialledAfterAnswer: number;
  /** Somebody answered, was put through to nobody and cut off: Asterisk hangs up a leg that answers while no router is connected. */
  readonly pickedUpInVain: number;
  readonly sippFailed: number;
  readonly records: {
    readonly all: number;
    /** Somebody answered the caller, or a router took the call or dialled for it, and there is no record. */
    readonly missing: number;
    /** More than one of a caller, who called once. */
    readonly doubled: number;
    readonly open: number;
    /** The record says that nobody answered, and the caller talked to somebody; or the other way round. */
    readonly untrue: number;
    readonly ends: Readonly<Record<string, number>>;
  };
  readonly left: Evidence["left"];
  readonly faults: readonly FaultRow[];
  /** One sentence a broken promise. */
  readonly broken: readonly string[];
  /** Callers of whom a promise was broken, each once. */
  readonly wronged: readonly string[];
}

/** Compares what callers and called wrote down with what the product recorded. */
export function judge(evidence: Evidence): Verdict {
  const { stories, records, left, sippFailed } = evidence;
  const recorded = recordsOf(evidence);
  const counted = {
    calls: stories.length,
    byDesk: stories.filter((story) => talkedTo(story) === "desk").length,
    byDefault: stories.filter((story) => talkedTo(story) === "fallback").length,
    reachedNobody: stories.filter(reachedNobody).length,
    bridgedLost: stories.filter(({ cut }) => cut !== null).length,
    dialledAfterAnswer: stories.filter(dialledAfterAnswer).length,
    pickedUpInVain: stories.filter(pickedUpInVain).length,
    sippFailed,
    records: { all: records.length, ...recorded },
    left,
  };
  return { ...counted, faults: faultRows(evidence), broken: brokenPromises(counted), wronged: wrongedOf(evidence) };
}

function wrongedOf({ stories, records }: Evidence): readonly string[] {
  const byCaller = Map.groupBy(records, ({ caller }) => caller);
  const isWronged = (story: CallStory) => {
    const own = byCaller.get(story.caller) ?? [];
    return reachedNobody(story) || story.cut !== null || dialledAfterAnswer(story) || own.length !== 1 || own.some((record) => record.end === null || isUntrue(story, record));
  };
  return stories.filter(isWronged).map(({ caller }) => caller);
}

function brokenPromises({ records, left, ...calls }: Omit<Verdict, "faults" | "broken" | "wronged">): readonly string[] {
  const counts: readonly (readonly [number, string])[] = [
    [calls.calls === 0 ? 1 : 0, "run without calls"],
    [calls.reachedNobody, "calls reached nobody"],
    [calls.bridgedLost, "bridged calls were lost"],
    [calls.dialledAfterAnswer, "calls rang somebody while somebody else was on the line"],
    [calls.sippFailed, "calls did not go as SIPp's scenario says"],
    [records.missing, "records are missing"],
    [records.doubled, "records are doubled"],
    [records.open, "records are open"],
    [records.untrue, "records are not true"],
    [left.channels, "channels were left behind"],
    [left.bridges, "bridges were left behind"],
    [left.liveLegs, "legs are live in the database that are none"],
  ];
  return counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
}

function recordsOf({ stories, records, taken }: Evidence): Omit<Verdict["records"], "all"> {
  const ids = new Set(records.map(({ id }) => id));
  const byCaller = new Map(records.map((record) => [record.caller, record]));
  const dialledUnrecorded = stories.filter(({ caller, answered, rings }) => (answered !== null || rings.some(({ by }) => by === "desk")) && !byCaller.has(caller));
  const takenUnrecorded = [...taken].filter((id) => !ids.has(id));
  const ends: Record<string, number> = {};
  for (const { end } of records) ends[end ?? "open"] = (ends[end ?? "open"] ?? 0) + 1;
  return {
    missing: Math.max(dialledUnrecorded.length, takenUnrecorded.length),
    doubled: records.length - byCaller.size,
    open: ends["open"] ?? 0,
    untrue: stories.filter((story) => isUntrue(story, byCaller.get(story.caller))).length,
    ends,
  };
}

/** A router that was killed between an answer and its record can't know of it: "failed" is what it says of a call that it lost sight of. */
function isUntrue(story: CallStory, record: StoredCall | undefined): boolean {
  if (record === undefined || record.end === null) return false;
  if (record.answered && story.rings.every(({ answered }) => answered === null)) return true;
  return talkedTo(story) !== null && record.end !== "completed" && record.end !== "failed";
}

/** Who had answered when the caller heard the answer. */
export function talkedTo({ answered, rings }: CallStory): "desk" | "fallback" | null {
  if (answered === null) return null;
  const picked = rings.filter((ring) => ring.answered !== null).sort((a, b) => (b.answered ?? 0) - (a.answered ?? 0));
  // Under load SIPp may miss the ACK that it writes down as the answer.
  return picked[0]?.by ?? rings.at(-1)?.by ?? null;
}

function reachedNobody(story: CallStory): boolean {
  return story.answered === null || talkedTo(story) === null;
}

/** An answer crosses with the hang-up of what rings: nobody could know. It is counted as picked up in vain. */
const CROSSING_MS = 50;

function dialledAfterAnswer({ rings }: CallStory): boolean {
  return rings.some(({ rang }) => rings.some((other) => wasOnTheLine(other, rang)));
}

function wasOnTheLine({ answered, over }: Ring, at: number): boolean {
  if (answered === null || answered >= at || at >= (over ?? Infinity)) return false;
  return answered < at - CROSSING_MS || (over ?? Infinity) > at + CROSSING_MS;
}

function pickedUpInVain({ answered, rings }: CallStory): boolean {
  return rings.some((ring) => ring.answered !== null && ring.over !== null && ring.over < (answered ?? Infinity));
}

function faultRows({ stories, windows }: Evidence): readonly FaultRow[] {
  const names = [...new Set(windows.map(({ fault }) => fault))].sort();
  return names.map((fault) => faultRow(fault, windows.filter((window) => window.fault === fault), stories));
}

function faultRow(fault: string, windows: readonly FaultWindow[], stories: readonly CallStory[]): FaultRow {
  const inSetUp = stories.filter((story) => windows.some((window) => wasInSetUp(story, window)));
  const bridged = stories.filter((story) => windows.some((window) => wasBridged(story, window)));
  const waits = inSetUp.map(({ asked, answered }) => (answered ?? asked) - asked);
  return {
    fault,
    times: windows.length,
    setUp: inSetUp.length,
    bridged: bridged.length,
    byDefault: inSetUp.filter((story) => talkedTo(story) === "fallback").length,
    pickedUpInVain: inSetUp.filter(pickedUpInVain).length,
    reachedNobody: inSetUp.filter(reachedNobody).length,
    bridgedLost: new Set([...inSetUp, ...bridged].filter(({ cut }) => cut !== null)).size,
    longestWaitSeconds: Math.round(waits.reduce((longest, wait) => Math.max(longest, wait), 0) / 100) / 10,
  };
}

function wasInSetUp({ asked, answered, cut }: CallStory, { from, to }: FaultWindow): boolean {
  return asked <= to && (answered ?? cut ?? Infinity) >= from;
}

function wasBridged({ answered, over, cut }: CallStory, { from, to }: FaultWindow): boolean {
  return answered !== null && answered < from && (cut ?? over ?? Infinity) >= from && answered <= to;
}
