import { setTimeout as sleep } from "node:timers/promises";

import { messageOf } from "../domain/errors.ts";
import type { Logger, RouterStore, Snapshot, TrunkEntry } from "../domain/ports.ts";
import { type CompiledRules, compileRules } from "../domain/routing-rules.ts";
import type { ResourceKey } from "../domain/types.ts";

/** A snapshot made ready for calls. */
export interface RoutingTable extends CompiledRules {
  readonly revision: number;
  readonly trunks: ReadonlyMap<ResourceKey, TrunkEntry>;
}

export function routingTable(snapshot: Snapshot): RoutingTable {
  return { ...compileRules(snapshot), revision: snapshot.revision, trunks: new Map(snapshot.trunks.map((trunk) => [trunk.key, trunk])) };
}

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
  store: Pick<RouterStore, "revision" | "snapshot" | "onChange">,
  logger: Logger,
  options: { readonly pollMs: number; readonly onRevision: (table: RoutingTable) => void },
): SnapshotKeeper {
  const stopping = new AbortController();
  let current: RoutingTable | null = null;
  let unsubscribe: (() => Promise<void>) | undefined;
  let refreshing: Promise<void> | undefined;
  let running: Promise<void> | undefined;

  const read = async (): Promise<void> => {
    try {
      if (current !== null && (await store.revision()) === current.revision) return;
      const snapshot = await store.snapshot();
      current = routingTable(snapshot);
      logger.info({ revision: snapshot.revision, pools: snapshot.pools.length, rules: snapshot.rules.length }, "routing snapshot refreshed");
      options.onRevision(current);
    } catch (error) {
      logger.warn({ error: messageOf(error), revision: current?.revision ?? null }, "routing snapshot not refreshed, the last one stays");
    }
  };

  // A hint that comes while one read is on its way may be about something newer: it is read once more after it.
  const refresh = (): Promise<void> => {
    const before = refreshing ?? Promise.resolve();
    const mine = before.then(read);
    refreshing = mine;
    return mine;
  };

  const subscribe = async (): Promise<void> => {
    try {
      unsubscribe ??= await store.onChange(() => void refresh());
    } catch (error) {
      logger.warn({ error: messageOf(error) }, "changes can't be listened for, polling goes on");
    }
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await subscribe();
      await refresh();
      await sleep(options.pollMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };

  return {
    get current() {
      return current;
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
