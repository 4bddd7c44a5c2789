import { messageOf } from "../../domain/errors.ts";
import type { Logger, Revision, RouterStore, Snapshot, SnapshotChanges } from "../../domain/ports.ts";
import { RoutingIndex, type RoutingTable } from "../../domain/routing-table.ts";
import { repeat } from "../../shared/repeat.ts";

export interface RoutingWatch {
  /** null until the first was read; after that always the last good one, and the same until something changes. */
  readonly table: RoutingTable | null;
  /** The first look is over, whether the database answered or not. */
  readonly looked: Promise<void>;
  stop(): Promise<void>;
}

export interface RoutingWatchOptions {
  readonly pollMs: number;
  /** Rules and trunks are the routers' business: others keep none. */
  readonly poolsOnly?: boolean;
  /** Called after each change, the first table included. */
  readonly onTable?: (table: RoutingTable) => void;
}

type Store = Pick<RouterStore, "revision" | "snapshot" | "changes" | "onChange">;

/**
 * Keeps what is in force in memory: pools, rules and trunks. A notification makes a change known at once; polling the revision is what can be
 * relied on. Only what changed is read, where the database can tell.
 */
export function watchRouting(store: Store, logger: Logger, { pollMs, poolsOnly = false, onTable }: RoutingWatchOptions): RoutingWatch {
  let index: RoutingIndex | null = null;
  const wanted = poolsOnly ? poolsOf : (changes: SnapshotChanges) => changes;
  const read = async (): Promise<void> => {
    if (index !== null && isSame(await store.revision(), index.table)) return;
    const changes = index === null ? null : await store.changes(index.table);
    if (index === null || changes === null) index = new RoutingIndex(wanted(allOf(await store.snapshot())));
    else index.apply(wanted(changes));
    const { revision, pools, trunks } = index.table;
    logger.info({ revision, pools: pools.size, ...(poolsOnly ? {} : { trunks: trunks.size }) }, "routing snapshot refreshed");
    onTable?.(index.table);
  };
  const looks = repeat(read, {
    everyMs: pollMs,
    failed: (error) => logger.warn({ error: messageOf(error), revision: index?.table.revision ?? null }, "routing snapshot not refreshed, the last one stays"),
  });
  const subscribed = store.onChange(() => void looks.now());
  return {
    get table() {
      return index?.table ?? null;
    },
    looked: subscribed.then(() => looks.now()),
    stop: async () => {
      await looks.stop();
      await (await subscribed)();
    },
  };
}

/** The number alone may come again, with another content. */
function isSame(a: Revision, b: Revision): boolean {
  return a.revision === b.revision && a.mark === b.mark;
}

const NONE = { pools: [], rules: [], trunks: [] };

function allOf(snapshot: Snapshot): SnapshotChanges {
  return { ...snapshot, gone: NONE };
}

function poolsOf({ revision, mark, pools, gone }: SnapshotChanges): SnapshotChanges {
  return { ...NONE, revision, mark, pools, gone: { ...NONE, pools: gone.pools } };
}
