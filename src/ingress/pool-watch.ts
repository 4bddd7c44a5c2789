import { watchRouting } from "../adapters/postgres/routing-watch.ts";
import type { Logger, PoolEntry, RouterStore } from "../domain/ports.ts";
import type { ResourceKey } from "../domain/types.ts";
import type { ReadinessCheck } from "../shared/health.ts";

export interface PoolWatch {
  /** The same Map until something changes. */
  readonly pools: () => ReadonlyMap<ResourceKey, PoolEntry>;
  readonly ready: ReadinessCheck;
  stop(): Promise<void>;
}

/** The accepted pools, in memory: none before the database was there once. */
export async function watchPools(
  store: Pick<RouterStore, "revision" | "snapshot" | "changes" | "onChange">,
  logger: Logger,
  options: { readonly pollSeconds: number },
): Promise<PoolWatch> {
  const watch = watchRouting(store, logger, { pollMs: options.pollSeconds * 1000, poolsOnly: true });
  await watch.looked;
  return {
    pools: () => watch.table?.pools ?? NO_POOLS,
    ready: () => ({ ready: watch.table !== null, reason: watch.table === null ? "the pools were not read yet" : `revision ${watch.table.revision}` }),
    stop: () => watch.stop(),
  };
}

const NO_POOLS: ReadonlyMap<ResourceKey, PoolEntry> = new Map();
