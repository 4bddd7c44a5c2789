import { messageOf } from "../domain/errors.ts";
import type { Logger, RouterStore } from "../domain/ports.ts";
import { RoutingIndex, type RoutingTable } from "../domain/routing-table.ts";
import { pause } from "../shared/backoff.ts";

export interface SnapshotKeeper {
  /** null until the first one was read; after that always the last good one. */
  readonly current: RoutingTable | null;
  start(): void;
  /** Looks now; resolves when the table is as new as the database was at that moment, or the database failed. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Keeps pools, rules and trunks in memory. NOTIFY is a hint that makes it fast, the revision asked for every `pollMs` the truth.
 *
 * @param onRevision called after each change of the table, the first included
 */
export function createSnapshotKeeper(
  store: Pick<RouterStore, "revision" | "snapshot" | "changes" | "onChange">,
  logger: Logger,
  options: { readonly pollMs: number; readonly onRevision: (table: RoutingTable) => void },
): SnapshotKeeper {
  const stopping = new AbortController();
  let index: RoutingIndex | null = null;
  let unsubscribe: (() => Promise<void>) | undefined;
  let refreshing: Promise<void> | undefined;
  let running: Promise<void> | undefined;

  const read = async (): Promise<void> => {
    try {
      if (index !== null && (await store.revision()) === index.table.revision) return;
      index = await newer(store, index);
      const { revision, pools, trunks } = index.table;
      logger.info({ revision, pools: pools.size, trunks: trunks.size }, "routing snapshot refreshed");
      options.onRevision(index.table);
    } catch (error) {
      logger.warn({ error: messageOf(error), revision: index?.table.revision ?? null }, "routing snapshot not refreshed, the last one stays");
    }
  };

  // A hint that comes while one read is on its way may be about something newer: it is read once more after it.
  const refresh = (): Promise<void> => {
    const before = refreshing ?? Promise.resolve();
    const mine = before.then(read);
    refreshing = mine;
    return mine;
  };

  const run = async (): Promise<void> => {
    unsubscribe = await store.onChange(() => void refresh());
    while (!stopping.signal.aborted) {
      await refresh();
      await pause(options.pollMs, stopping.signal);
    }
  };

  return {
    get current() {
      return index?.table ?? null;
    },
    start: () => void (running ??= run()),
    refresh,
    stop: async () => {
      stopping.abort();
      await running;
      await unsubscribe?.();
    },
  };
}

/** Only what changed is read, where the database can tell. */
async function newer(store: Pick<RouterStore, "snapshot" | "changes">, index: RoutingIndex | null): Promise<RoutingIndex> {
  const changes = index === null ? null : await store.changes(index.table.revision);
  if (index === null || changes === null) return new RoutingIndex(await store.snapshot());
  index.apply(changes);
  return index;
}
