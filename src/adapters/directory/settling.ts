/** How long a file has to be left alone before what it no longer declares counts as gone. */
export const SETTLE_MILLISECONDS = 2_000;

/** One version of a file, as its folder tells of it without its text. */
export interface Version {
  /** Another one whenever the file was written or replaced. */
  readonly id: string;
  /** When it was written, by the clock of the file system; null where that is not told. */
  readonly writtenAt: number | null;
}

/**
 * Since when each file is as it is. By our clock, as the one of a file system in the network may go otherwise; what the first look
 * finds was written at its own time: a file that was changed while nobody looked needs no wait.
 */
export class Settling {
  readonly #seen = new Map<string, { readonly id: string; readonly since: number }>();

  /** Has to be told of every look at a file. Answers whether it has been as it is for long enough. */
  isSettled(name: string, { id, writtenAt }: Version, now: number): boolean {
    const known = this.#seen.get(name);
    const since = known === undefined ? (writtenAt ?? now) : known.id === id ? known.since : now;
    // A clock that was set back must not make it wait for as long.
    const seen = { id, since: Math.min(since, now) };
    this.#seen.set(name, seen);
    return now - seen.since >= SETTLE_MILLISECONDS;
  }

  forget(name: string): void {
    this.#seen.delete(name);
  }
}
