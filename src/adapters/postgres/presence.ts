import type pg from "pg";
import type { Uuid } from "../../domain/types.ts";

/** Marks devices online until now + ttl. Rows are locked in one order, so that two replicas can't block each other. */
export async function markOnline(pool: pg.Pool, devices: readonly Uuid[], ttlSeconds: number): Promise<void> {
  if (devices.length === 0) return;
  await pool.query(
    `update device d set online_until = clock_timestamp() + make_interval(secs => $2::double precision)
     from (select id from device where id = any ($1::uuid[]) order by id for no key update) l
     where d.id = l.id`,
    [devices, ttlSeconds],
  );
}

export async function markOffline(pool: pg.Pool, devices: readonly Uuid[]): Promise<void> {
  if (devices.length === 0) return;
  await pool.query(
    `update device d set online_until = clock_timestamp()
     from (select id from device where id = any ($1::uuid[]) and online_until > clock_timestamp() order by id for no key update) l
     where d.id = l.id`,
    [devices],
  );
}

export async function onlineDevices(pool: pg.Pool, prospect: Uuid, except: Uuid | null): Promise<readonly Uuid[]> {
  const { rows } = await pool.query<{ id: Uuid }>(
    `select id from device
     where prospect_id = $1::uuid and id is distinct from $2::uuid and online_until > clock_timestamp()
     order by id`,
    [prospect, except],
  );
  return rows.map((row) => row.id);
}
