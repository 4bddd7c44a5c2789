import { messageOf } from "../domain/errors.ts";
import type { Logger, PoolEntry, RouterStore, Snapshot } from "../domain/ports.ts";
import { RoutingIndex } from "../domain/routing-table.ts";
import type { ResourceKey } from "../domain/types.ts";
import type { ReadinessCheck } from "../shared/health.ts";

export interface PoolWatch {
  /** The same Map until something changes. */
  readonly pools: () => ReadonlyMap<ResourceKey, PoolEntry>;
  readonly ready: ReadinessCheck;
  stop(): Promise<void>;
}

/**
 * Keeps the accepted pools in memory. A notification makes a change known at once; polling the revision is what can be relied on.
 * While Postgres can't be reached the last known pools stay.
 */
export async function watchPools(
  store: Pick<RouterStore, "revision" | "snapshot" | "changes" | "onChange">,
  logger: Logger,
  options: { readonly pollSeconds: number },
): Promise<PoolWatch> {
  let index: RoutingIndex | null = null;
  let reading: Promise<void> | undefined;
  let again = false;

  async function read(): Promise<void> {
    do {
      again = false;
      try {
        if (index !== null && (await store.revision()) === index.table.revision) continue;
        const changes = index === null ? null : await store.changes(index.table.revision);
        if (index === null || changes === null) index = new RoutingIndex(poolsOf(await store.snapshot()));
        else index.apply({ ...poolsOf(changes), gone: { ...NONE, pools: changes.gone.pools } });
        logger.info({ revision: index.table.revision, pools: index.table.pools.size }, "pools are known");
      } catch (error) {
        logger.warn({ reason: messageOf(error) }, "pools could not be read");
      }
    } while (wanted());
  }
  /** A change that is told while reading may have come too late for that reading. */
  const wanted = () => again;
  const refresh = () => {
    again = true;
    reading ??= read().finally(() => (reading = undefined));
    return reading;
  };

  const unsubscribe = await store.onChange(() => void refresh());
  await refresh();
  const timer = setInterval(() => void refresh(), options.pollSeconds * 1000);
  timer.unref();
  return {
    pools: () => index?.table.pools ?? NO_POOLS,
    ready: () => ({ ready: index !== null, reason: index === null ? "the pools were not read yet" : `revision ${index.table.revision}` }),
    stop: async () => {
      clearInterval(timer);
      await unsubscribe();
      await reading;
    },
  };
}

const NO_POOLS: ReadonlyMap<ResourceKey, PoolEntry> = new Map();
const NONE = { pools: [], rules: [], trunks: [] };

/** Rules and trunks are the routers' business. */
function poolsOf({ revision, pools }: Snapshot): Snapshot {
  return { ...NONE, revision, pools };
}
