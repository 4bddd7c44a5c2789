import type pg from "pg";
import type { PodReport, TrunkReport } from "../../domain/ports.ts";

/** What a pod was verified to run. Also its sign of life; only news is told to those who listen. */
export async function reportPod(pool: pg.Pool, { pod, running, error, routing, trunks }: PodReport): Promise<void> {
  await pool.query(
    `with before as (select running, error, routing, trunks from pod where pod = $1::text),
     written as (
       insert into pod (pod, running, error, routing, trunks, seen_at) values ($1::text, $2::text, $3::text, $4::bigint, $5::jsonb, now())
       on conflict (pod) do update set running = excluded.running, error = excluded.error, routing = excluded.routing,
         trunks = excluded.trunks, seen_at = excluded.seen_at
     )
     select pg_notify('dialplane_pods', $1::text)
     where not exists (
       select from before b where (b.running, b.error, b.routing, b.trunks) is not distinct from ($2::text, $3::text, $4::bigint, $5::jsonb)
     )`,
    [pod, running, clipped(error), routing, trunks === null ? null : JSON.stringify({ ...trunks, error: clipped(trunks.error) })],
  );
}

/** Room for the reason in a condition, whatever Asterisk said. */
const LONGEST_ERROR = 1_000;

function clipped(error: string | null): string | null {
  return error === null ? null : error.slice(0, LONGEST_ERROR).replaceAll("\0", " ");
}

/** A pod that ends in order counts no more at once, and the operator is told; nothing happens for one that is not there. */
export async function removePod(pool: pg.Pool, pod: string): Promise<void> {
  await pool.query("with gone as (delete from pod where pod = $1::text returning pod) select pg_notify('dialplane_pods', pod) from gone", [pod]);
}

/** Some missed reports (src/router/pod-rollout.ts, VERIFY_MS) and a restart of the database are no reason to stop counting a pod. */
const GONE_AFTER_SECONDS = 30;
/** Whoever asks whether a pod's calls are lost counts longer (read-calls.ts). */
const FORGOTTEN_AFTER_SECONDS = 600;

/** Those that live; the rows of others go, later. */
export async function readPods(pool: pg.Pool): Promise<readonly PodReport[]> {
  const { rows } = await pool.query<PodRow>(
    `with gone as (delete from pod where seen_at <= now() - make_interval(secs => $2::double precision))
     select pod, running, error, routing, trunks from pod
     where seen_at > now() - make_interval(secs => $1::double precision) order by pod`,
    [GONE_AFTER_SECONDS, FORGOTTEN_AFTER_SECONDS],
  );
  return rows.map((row) => ({ ...row, routing: row.routing === null ? null : Number(row.routing) }));
}

interface PodRow {
  readonly pod: string;
  readonly running: string | null;
  readonly error: string | null;
  readonly routing: string | null;
  readonly trunks: TrunkReport | null;
}
