-- Who asks: answers the prospect that each device belongs to now, after merges and log-ins, makes prospects and devices that are new, and
-- locks the prospects for the rest of the transaction: two claims of one prospect never run at the same time, nor a claim and a merge. What
-- runs after it sees what those before committed.
create function meet_visitors(visitors uuid[], devices uuid[])
returns uuid[]
language plpgsql
-- As for claim_numbers.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_mergejoin = off
set jit = off
as $$
declare
  prospects uuid[];
  are_known boolean;
begin
  select array_agg(coalesce(p.merged_into, d.prospect_id, m.merged_into, m.id, newcomer(r.visitor, r.device)) order by r.ord), bool_and(d.id is not null)
  into prospects, are_known
  from unnest(visitors, devices) with ordinality as r (visitor, device, ord)
  left join device d on d.id = r.device
  left join prospect p on p.id = d.prospect_id
  left join prospect m on m.id = r.visitor;

  perform pg_advisory_xact_lock(hashtextextended(k.prospect::text, 0))
  from (select distinct p.prospect from unnest(prospects) as p (prospect) order by p.prospect) as k;

  if not are_known then
    with request as (
      select distinct on (r.device) r.device, r.prospect from unnest(devices, prospects) as r (device, prospect) order by r.device
    ),
    owner as (
      insert into prospect (id) select distinct r.prospect from request r order by r.prospect
      on conflict (id) do nothing
    )
    insert into device (id, prospect_id) select r.device, r.prospect from request r order by r.device
    on conflict (id) do nothing;
  end if;
  return prospects;
end
$$;

-- Decides many requests for numbers at once, for prospects that meet_visitors has locked in the same transaction. One transaction, durable
-- when it ends.
--
-- Order of locks: prospects (advisory, sorted), then numbers that are renewed (by number), then free numbers (skip locked: never
-- waits). No claim waits for a number after it has taken a free one. A reconcile is not waited for at all: one that changes a large pool holds
-- its numbers for seconds, and visitors of other pools are in the same batch.
create function claim_numbers(pool_keys text[], prospects uuid[], devices uuid[], media_elements text[], attribute_sets jsonb)
returns table (
  ord bigint,
  outcome text,
  prospect uuid,
  did bigint,
  leased_until timestamptz,
  renewed boolean,
  other_devices_online uuid[],
  determined_at timestamptz
)
language plpgsql
-- One plan for all calls, made for about a hundred requests (jsonb_array_elements is taken for that many rows): planning anew
-- would cost more than the claim, and compiling it much more. Numbers and devices are looked up by index, whatever the statistics say: after
-- a fresh start they tell of an empty table for a minute, and a plan for that reads all of it for every batch.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
  at timestamptz := clock_timestamp();
begin
  return query
  with request as materialized (
    select r.ord, p.uid as pool_uid, p.lease, p.cooldown, p.on_exhausted, p.overflow,
      coalesce((select m.merged_into from prospect m where m.id = r.prospect_id), r.prospect_id) as prospect_id,
      r.device_id, r.media_element, r.attributes
    from rows from (unnest(pool_keys), unnest(prospects), unnest(devices), unnest(media_elements), jsonb_array_elements(attribute_sets))
      with ordinality as r (pool_key, prospect_id, device_id, media_element, attributes, ord)
    left join pool p on p.key = r.pool_key and p.removed_at is null
  ),
  wanted as materialized (
    select pool_uid, prospect_id, lease, cooldown, on_exhausted, min(ord) as place
    from request where pool_uid is not null
    group by pool_uid, prospect_id, lease, cooldown, on_exhausted
  ),
  -- What the prospect holds, or held last and nobody got since. A number taken out of the pool is honoured while leased.
  held as materialized (
    select w.*, h.*
    from wanted w
    cross join lateral (
      select n.did, n.in_service, n.leased_from, n.leased_until from number n
      where n.pool_uid = w.pool_uid and n.prospect_id = w.prospect_id and not n.superseded and (n.in_service or n.leased_until > at)
      order by (n.leased_until > at) desc, n.in_service desc, n.leased_from
      limit 1
    ) h
  ),
  -- A promise that reaches far enough, or of a number that is leaving, stands as it is: no write.
  standing as materialized (
    select pool_uid, prospect_id, did, leased_from, leased_until from held
    where leased_until > at and (not in_service or leased_until >= at + lease)
  ),
  at_once as materialized (
    select n.did from held h join number n on n.did = h.did
    where not exists (select from standing s where s.did = h.did)
    order by n.did
    for no key update of n skip locked
  ),
  -- Held by another claim, which is over in a moment: while no reconcile writes (apply-lock.ts), nor can begin before this ends.
  in_turn as materialized (
    select n.did from held h join number n on n.did = h.did
    where not exists (select from standing s where s.did = h.did) and not exists (select from at_once o where o.did = h.did)
      and pg_try_advisory_xact_lock_shared(724601339)
    order by n.did
    for no key update of n
  ),
  ours as materialized (
    select did from at_once union all select did from in_turn
  ),
  -- Held by a reconcile: what is promised stands, and for the rest the visitor asks again.
  busy as materialized (
    select h.* from held h
    where not exists (select from standing s where s.did = h.did) and not exists (select from ours o where o.did = h.did)
  ),
  -- Another transaction may have taken a number whose lease had ended: the check of prospect_id is made again under the row's lock.
  -- What is promised once more reaches a twentieth further: the next pages of the same visit then need no write.
  extended as (
    update number n set
      leased_from = case when n.leased_until > at then n.leased_from else at end,
      leased_until = greatest(n.leased_until, at + h.term),
      free_at = greatest(greatest(n.leased_until, at + h.term) + h.cooldown, n.promised_until)
    from (select h.*, case when h.leased_until > at then h.lease * 1.05 else h.lease end as term from held h join ours o on o.did = h.did) h
    where n.did = h.did and n.prospect_id = h.prospect_id and n.pool_uid = h.pool_uid and n.in_service and not n.superseded
    returning n.pool_uid, n.prospect_id, n.did, n.leased_from, n.leased_until
  ),
  kept as materialized (
    select * from standing
    union all select * from extended
    union all select pool_uid, prospect_id, did, leased_from, leased_until from busy where leased_until > at
  ),
  missing as materialized (
    select w.*, row_number() over (partition by w.pool_uid order by w.place) as turn
    from wanted w
    where not exists (select from kept k where k.pool_uid = w.pool_uid and k.prospect_id = w.prospect_id)
      and not exists (select from busy b where b.pool_uid = w.pool_uid and b.prospect_id = w.prospect_id)
  ),
  demand as materialized (
    select pool_uid, on_exhausted, cooldown, count(*) as wanted from missing group by pool_uid, on_exhausted, cooldown
  ),
  -- Least recently released first; never lent ones before all.
  free as materialized (
    select d.pool_uid, f.did, row_number() over (partition by d.pool_uid order by f.free_at, f.did) as turn
    from demand d
    cross join lateral (
      select n.did, n.free_at from number n
      where n.pool_uid = d.pool_uid and n.in_service and n.free_at <= at
      order by n.free_at, n.did
      limit d.wanted
      for update skip locked
    ) f
  ),
  -- ReclaimOldest gives up the rest of a cool-down, never a promise: docs/decisions/0003. What cools down is free within a cool-down's time,
  -- by the index; all others are not looked at.
  reclaimed as materialized (
    select d.pool_uid, f.did, d.supplied + row_number() over (partition by d.pool_uid order by f.leased_until, f.did) as turn
    from (
      select m.pool_uid, m.wanted, m.cooldown, (select count(*) from free f where f.pool_uid = m.pool_uid) as supplied
      from demand m where m.on_exhausted = 'ReclaimOldest'
    ) d
    cross join lateral (
      select n.did, n.leased_until from number n
      where d.supplied < d.wanted and n.pool_uid = d.pool_uid and n.in_service and n.leased_until <= at and n.free_at > at and n.free_at <= at + d.cooldown
        and (n.promised_until is null or n.promised_until <= at)
        and not exists (select from device v where v.prospect_id = n.prospect_id and v.online_until > at)
        and not exists (select from call c where c.did = n.did and c.ended_at is null and c.received_at > at - interval '1 day')
        and not exists (select from call c where c.prospect_id = n.prospect_id and c.ended_at is null and c.received_at > at - interval '1 day')
        and not exists (select from kept k where k.did = n.did)
      order by n.leased_until, n.did
      limit greatest(d.wanted - d.supplied, 0)
      for update skip locked
    ) f
  ),
  given as (
    update number n set
      prospect_id = m.prospect_id, leased_from = at, leased_until = at + m.lease, free_at = at + m.lease + m.cooldown, superseded = false,
      -- Whose it was before. Nobody's, but with an end: somebody who was erased.
      previous_prospect_id = case when n.prospect_id = m.prospect_id then n.previous_prospect_id else n.prospect_id end,
      previous_leased_until = case when n.prospect_id = m.prospect_id then n.previous_leased_until else nullif(n.leased_until, '-infinity') end
    from missing m
    join (select * from free union all select * from reclaimed) s on s.pool_uid = m.pool_uid and s.turn = m.turn
    where n.did = s.did
    returning n.pool_uid, n.prospect_id, n.did, n.leased_from, n.leased_until
  ),
  lent as materialized (
    select k.*, true as renewed from kept k union all select g.*, false from given g
  ),
  -- Determined before the number is shown: which other devices of the prospect are online now. Each is told: whoever has a token can make
  -- devices without end, so that only the 16 heard of last count.
  answer as materialized (
    select r.*, l.did, l.leased_from, l.leased_until, l.renewed,
      -- Not while the number is somebody's: it may have been lent before it was set apart.
      case when l.did is null and r.on_exhausted = 'Overflow' and not exists (select from number n where n.did = r.overflow and n.free_at > at)
        then r.overflow end as shared,
      coalesce((
        select array_agg(o.id order by o.id) from (
          select v.id from device v
          where v.prospect_id = r.prospect_id and v.id <> r.device_id and v.online_until > at
          order by v.online_until desc limit 16
        ) o
      ), '{}') as other_devices_online
    from request r
    left join lent l on l.pool_uid = r.pool_uid and l.prospect_id = r.prospect_id
  ),
  shown as (
    select distinct on (did, leased_from, device_id, media_element)
      did, pool_uid, prospect_id, device_id, media_element, attributes, leased_from, other_devices_online
    from answer where did is not null
    order by did, leased_from, device_id, media_element, ord desc
  ),
  -- What is there already costs no write, not even a lock. Shown again after something else: which media element was shown last decides
  -- whom a call is put down to.
  history as (
    insert into association as a (did, pool_uid, prospect_id, device_id, media_element, attributes, leased_from, other_devices_online, determined_at, shown_at)
    select w.*, at, at from shown w
    where not exists (
      select from association s
      where s.did = w.did and s.leased_from = w.leased_from and s.device_id = w.device_id
        and hashtextextended(s.media_element, 0) = hashtextextended(w.media_element, 0)
        and s.other_devices_online = w.other_devices_online and s.attributes = w.attributes
        and not exists (select from association o where o.did = s.did and o.leased_from = s.leased_from and o.id <> s.id and o.shown_at >= s.shown_at)
    )
    on conflict (did, leased_from, device_id, hashtextextended(media_element, 0)) do update
      set other_devices_online = excluded.other_devices_online, determined_at = excluded.determined_at, attributes = excluded.attributes,
        shown_at = excluded.shown_at
  )
  select a.ord,
    case
      when a.pool_uid is null then 'UnknownPool'
      when a.did is not null then 'Assigned'
      when a.shared is not null then 'Overflow'
      else 'Exhausted'
    end,
    a.prospect_id,
    coalesce(a.did, a.shared),
    a.leased_until, a.renewed, a.other_devices_online, at
  from answer a
  order by a.ord;
end
$$;
