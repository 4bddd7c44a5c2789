import type pg from "pg";
import type { Uuid } from "../../domain/types.ts";
import { retrying } from "./retry.ts";

/**
 * Marks devices online until now + ttl. A device that is there is a sign of life of its prospect: a lease that no longer reaches
 * a full term from now is renewed, counted from the end of the ttl, so that most heartbeats write no number. Devices are locked in one order, so that two replicas can't block each other; a number that somebody writes is left to him.
 */
export async function markOnline(pool: pg.Pool, devices: readonly Uuid[], ttlSeconds: number): Promise<Date> {
  const { rows } = await retrying(() => pool.query<{ until: Date }>(MARK_ONLINE, [devices, ttlSeconds]));
  const until = rows[0]?.until;
  if (until === undefined) throw new Error("the heartbeat answered nothing");
  return until;
}

/** The time is cut to milliseconds so that it stays the same on its way through a JavaScript Date: `markOffline` compares it. */
const MARK_ONLINE = `with term as materialized (
       select date_trunc('milliseconds', clock_timestamp()) + make_interval(secs => $2::double precision) as until
     ),
     seen as (
       update device d set online_until = (select until from term)
       from (select id from device where id = any ($1::uuid[]) order by id for no key update) l
       where d.id = l.id
       returning d.prospect_id
     ),
     fading as (
       select n.did, p.lease, p.cooldown from number n join pool p on p.uid = n.pool_uid
       where n.prospect_id in (select prospect_id from seen) and n.in_service and not n.superseded
         -- By the clock: what was given back since this statement began ended after its time.
         and n.leased_until > clock_timestamp() and n.leased_until < statement_timestamp() + p.lease
       for no key update of n skip locked
     ),
     extended as (
       select f.*, statement_timestamp() + make_interval(secs => $2::double precision) + f.lease as leased_until from fading f
     ),
     renewed as (
       update number n set leased_until = e.leased_until, free_at = greatest(e.leased_until + e.cooldown, n.promised_until)
       from extended e where n.did = e.did
     )
     select until from term`;

/** See `Presence.offline` in domain/ports.ts. */
export async function markOffline(pool: pg.Pool, devices: readonly Uuid[], heardUntil?: readonly Date[]): Promise<void> {
  if (devices.length === 0) return;
  await retrying(() =>
    pool.query(
      `update device d set online_until = clock_timestamp()
       from (
         select v.id from device v
         join unnest($1::uuid[], $2::timestamptz[]) as g (id, until) on g.id = v.id
         where v.online_until > clock_timestamp() and (g.until is null or v.online_until <= g.until)
         order by v.id for no key update of v
       ) l
       where d.id = l.id`,
      [devices, heardUntil ?? []],
    ),
  );
}
