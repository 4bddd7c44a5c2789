import { messageOf } from "../domain/errors.ts";
import type { Logger, PoolEntry, RouterStore } from "../domain/ports.ts";
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
  store: Pick<RouterStore, "revision" | "snapshot" | "onChange">,
  logger: Logger,
  options: { readonly pollSeconds: number },
): Promise<PoolWatch> {
  let pools: ReadonlyMap<ResourceKey, PoolEntry> = new Map();
  let revision: number | null = null;
  let reading: Promise<void> | undefined;
  let again = false;

  async function read(): Promise<void> {
    do {
      again = false;
      try {
        if ((await store.revision()) === revision) continue;
        const snapshot = await store.snapshot();
        pools = new Map(snapshot.pools.map((pool) => [pool.key, pool]));
        revision = snapshot.revision;
        logger.info({ revision, pools: pools.size }, "pools are known");
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
    pools: () => pools,
    ready: () => ({ ready: revision !== null, reason: revision === null ? "the pools were not read yet" : `revision ${revision}` }),
    stop: async () => {
      clearInterval(timer);
      await unsubscribe();
      await reading;
    },
  };
}
