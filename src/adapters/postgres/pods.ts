import type pg from "pg";
import type { PodReport } from "../../domain/ports.ts";

/** What a pod was verified to run. Also its sign of life. */
export async function reportPod(pool: pg.Pool, { pod, running, error }: PodReport): Promise<void> {
  await pool.query(
    `insert into pod (pod, running, error, seen_at) values ($1::text, $2::text, $3::text, now())
     on conflict (pod) do update set running = excluded.running, error = excluded.error, seen_at = excluded.seen_at`,
    [pod, running, error],
  );
}

/** A pod that was not heard of for this long is gone. */
const GONE_AFTER_SECONDS = 60;

export async function readPods(pool: pg.Pool): Promise<readonly (PodReport & { readonly seenAt: Date })[]> {
  const { rows } = await pool.query<PodReport & { seen_at: Date }>(
    "select pod, running, error, seen_at from pod where seen_at > now() - make_interval(secs => $1::double precision) order by pod",
    [GONE_AFTER_SECONDS],
  );
  return rows.map(({ pod, running, error, seen_at }) => ({ pod, running, error, seenAt: seen_at }));
}
