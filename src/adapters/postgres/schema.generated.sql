-- DO NOT EDIT. Generated from src/adapters/postgres/sql/ by scripts/generators/schema.ts: npm run generate
-- The schema that all migrations together make, out of PostgreSQL's own catalogue. For reading; nothing runs it.

create table association (
  id bigint not null generated always as identity,
  did bigint not null,
  pool_uid text not null,
  prospect_id uuid not null,
  device_id uuid not null,
  media_element text not null,
  attributes jsonb not null,
  leased_from timestamp with time zone not null,
  other_devices_online uuid[] not null,
  determined_at timestamp with time zone not null,
  shown_at timestamp with time zone not null,
  constraint association_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX association_once ON public.association USING btree (did, leased_from, device_id, hashtextextended(media_element, (0)::bigint));
CREATE INDEX association_prospect ON public.association USING btree (prospect_id, did);

create table call (
  id text not null,
  stage integer not null,
  pod text not null,
  did bigint not null,
  pool_key text not null,
  caller text,
  received_at timestamp with time zone not null,
  answered_at timestamp with time zone,
  bridged_at timestamp with time zone,
  ended_at timestamp with time zone,
  ending text,
  hangup_cause smallint,
  attribution text not null,
  prospect_id uuid,
  media_element text,
  attributes jsonb not null,
  rule_key text,
  answered_by text,
  bridge text,
  legs jsonb not null,
  why jsonb not null,
  erased boolean not null default false,
  constraint call_pkey PRIMARY KEY (id)
);
CREATE INDEX call_attribution ON public.call USING btree (attribution, received_at DESC, id);
CREATE INDEX call_caller ON public.call USING btree (pool_key, "left"(caller, 16), received_at DESC) WHERE (caller IS NOT NULL);
CREATE INDEX call_caller_prefix ON public.call USING btree ("left"(caller, 16) text_pattern_ops, received_at DESC);
CREATE INDEX call_destination ON public.call USING gin (jsonb_path_query_array(legs, '$[*]."destination"'::jsonpath) jsonb_path_ops);
CREATE INDEX call_ending ON public.call USING btree (ending, received_at DESC, id);
CREATE INDEX call_live ON public.call USING btree (did) WHERE (ended_at IS NULL);
CREATE INDEX call_pool ON public.call USING btree (pool_key, received_at DESC, id);
CREATE INDEX call_prospect ON public.call USING btree (prospect_id) WHERE (prospect_id IS NOT NULL);
CREATE INDEX call_received ON public.call USING btree (received_at DESC, id);

create table device (
  id uuid not null,
  prospect_id uuid not null,
  created_at timestamp with time zone not null default now(),
  online_until timestamp with time zone not null default '-infinity'::timestamp with time zone,
  constraint device_pkey PRIMARY KEY (id),
  constraint device_prospect_id_fkey FOREIGN KEY (prospect_id) REFERENCES prospect(id) ON DELETE CASCADE
) with (fillfactor=70);
CREATE INDEX device_prospect ON public.device USING btree (prospect_id);

create table dialplan (
  revision bigint not null,
  hash text not null,
  marker text not null,
  content text not null,
  created_at timestamp with time zone not null default now(),
  constraint dialplan_pkey PRIMARY KEY (revision)
);

create table erasure (
  subject bytea not null,
  erased_at timestamp with time zone not null,
  constraint erasure_pkey PRIMARY KEY (subject)
);
CREATE INDEX erasure_age ON public.erasure USING btree (erased_at);

create table leadership (
  singleton boolean not null default true,
  term bigint not null,
  holder text not null,
  since timestamp with time zone not null default now(),
  constraint leadership_pkey PRIMARY KEY (singleton),
  constraint leadership_singleton_check CHECK (singleton)
);

create table live_leg (
  channel text not null,
  call_id text not null,
  destination text not null,
  constraint live_leg_pkey PRIMARY KEY (channel),
  constraint live_leg_call_id_fkey FOREIGN KEY (call_id) REFERENCES call(id) ON DELETE CASCADE
);
CREATE INDEX live_leg_call ON public.live_leg USING btree (call_id);

create table migration (
  version integer not null,
  applied_at timestamp with time zone not null default now(),
  constraint migration_pkey PRIMARY KEY (version)
);

create table number (
  did bigint not null,
  pool_uid text not null,
  in_service boolean not null default true,
  superseded boolean not null default false,
  prospect_id uuid,
  leased_from timestamp with time zone,
  leased_until timestamp with time zone not null default '-infinity'::timestamp with time zone,
  free_at timestamp with time zone not null default '-infinity'::timestamp with time zone,
  previous_prospect_id uuid,
  previous_leased_until timestamp with time zone,
  promised_until timestamp with time zone,
  constraint number_pkey PRIMARY KEY (did),
  constraint number_pool_uid_fkey FOREIGN KEY (pool_uid) REFERENCES pool(uid)
) with (fillfactor=70);
CREATE INDEX number_free ON public.number USING btree (pool_uid, free_at, did) WHERE in_service;
CREATE UNIQUE INDEX number_held ON public.number USING btree (pool_uid, prospect_id) WHERE ((prospect_id IS NOT NULL) AND in_service AND (NOT superseded));
CREATE INDEX number_prospect ON public.number USING btree (prospect_id) WHERE (prospect_id IS NOT NULL);
CREATE INDEX number_retired ON public.number USING btree (pool_uid, free_at) WHERE (NOT in_service);
CREATE INDEX number_retiring ON public.number USING btree (free_at) WHERE (NOT in_service);

create table person (
  site text not null,
  subject_hash bytea not null,
  prospect_id uuid not null,
  constraint person_pkey PRIMARY KEY (site, subject_hash),
  constraint person_prospect_id_fkey FOREIGN KEY (prospect_id) REFERENCES prospect(id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX person_prospect ON public.person USING btree (prospect_id);

create table pod (
  pod text not null,
  running text,
  error text,
  routing bigint,
  trunks jsonb,
  seen_at timestamp with time zone not null,
  constraint pod_pkey PRIMARY KEY (pod)
);

create table pool (
  uid text not null,
  key text not null,
  created_at timestamp with time zone not null,
  generation bigint not null,
  labels jsonb not null,
  spec jsonb not null,
  owned jsonb not null,
  lease interval not null,
  cooldown interval not null,
  attribution_window interval not null,
  on_exhausted text not null,
  overflow bigint,
  removed_at timestamp with time zone,
  changed_with bigint not null default 0,
  constraint pool_pkey PRIMARY KEY (uid),
  constraint pool_on_exhausted_check CHECK ((on_exhausted = ANY (ARRAY['Overflow'::text, 'LeavePage'::text, 'ReclaimOldest'::text])))
);
CREATE INDEX pool_changed ON public.pool USING btree (changed_with);
CREATE UNIQUE INDEX pool_key ON public.pool USING btree (key) WHERE (removed_at IS NULL);

create table pool_demand (
  pool_uid text not null,
  hour timestamp with time zone not null,
  arrivals_per_hour double precision not null,
  visit_seconds double precision not null,
  constraint pool_demand_pkey PRIMARY KEY (pool_uid, hour),
  constraint pool_demand_pool_uid_fkey FOREIGN KEY (pool_uid) REFERENCES pool(uid) ON DELETE CASCADE
);

create table pool_remains (
  pool_uid text not null,
  noted_at timestamp with time zone not null default now(),
  looked_through boolean not null default false,
  constraint pool_remains_pkey PRIMARY KEY (pool_uid),
  constraint pool_remains_pool_uid_fkey FOREIGN KEY (pool_uid) REFERENCES pool(uid) ON DELETE CASCADE
);

create table prospect (
  id uuid not null,
  created_at timestamp with time zone not null default now(),
  merged_into uuid,
  constraint prospect_pkey PRIMARY KEY (id)
);
CREATE INDEX prospect_merged ON public.prospect USING btree (merged_into) WHERE (merged_into IS NOT NULL);

create table removal (
  uid text not null,
  kind text not null,
  removed_with bigint not null,
  removed_at timestamp with time zone not null default now(),
  constraint removal_pkey PRIMARY KEY (uid, kind)
);
CREATE INDEX removal_with ON public.removal USING btree (removed_with);

create table revision (
  id boolean not null default true,
  value bigint not null default 0,
  changes_since bigint not null default 0,
  mark uuid not null default gen_random_uuid(),
  constraint revision_pkey PRIMARY KEY (id),
  constraint revision_id_check CHECK (id)
);

create table revision_mark (
  value bigint not null,
  mark uuid not null,
  made_at timestamp with time zone not null default now(),
  constraint revision_mark_pkey PRIMARY KEY (value)
);

create table rule (
  uid text not null,
  key text not null,
  created_at timestamp with time zone not null,
  pools text[] not null,
  spec jsonb not null,
  changed_with bigint not null default 0,
  constraint rule_pkey PRIMARY KEY (uid)
);
CREATE INDEX rule_changed ON public.rule USING btree (changed_with);

create unlogged table rule_turn (
  rule_uid text not null,
  calls bigint not null,
  constraint rule_turn_pkey PRIMARY KEY (rule_uid),
  constraint rule_turn_rule_uid_fkey FOREIGN KEY (rule_uid) REFERENCES rule(uid) ON DELETE CASCADE
);

create unlogged table seat (
  channel text not null,
  destination text not null,
  trunk text not null,
  expires_at timestamp with time zone not null,
  constraint seat_pkey PRIMARY KEY (channel)
);
CREATE INDEX seat_destination ON public.seat USING btree (destination);
CREATE INDEX seat_trunk ON public.seat USING btree (trunk);

create table trunk (
  uid text not null,
  key text not null,
  created_at timestamp with time zone not null,
  spec jsonb not null,
  changed_with bigint not null default 0,
  constraint trunk_pkey PRIMARY KEY (uid)
);
CREATE INDEX trunk_changed ON public.trunk USING btree (changed_with);

CREATE OR REPLACE FUNCTION public.choose_pools(pool_keys text[], prospects uuid[], choices jsonb)
 RETURNS text[]
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
declare
  at timestamptz := clock_timestamp();
begin
  return array(
    select coalesce(
      h.held,
      -- Of requests that one prospect makes at the same moment the first one decides.
      first_value(r.choice ->> 'matched') over (partition by r.prospect_id, r.pool_key order by r.ord),
      h.last,
      r.pool_key
    )
    from (
      select q.ord, q.pool_key, coalesce((select m.merged_into from prospect m where m.id = q.prospect_id), q.prospect_id) as prospect_id, q.choice
      from rows from (unnest(pool_keys), unnest(prospects), jsonb_array_elements(choices)) with ordinality as q (pool_key, prospect_id, choice, ord)
    ) r
    left join lateral (
      select case when n.leased_until > at then p.key end as held, p.key as last
      from number n join pool p on p.uid = n.pool_uid and p.removed_at is null
      where n.prospect_id = r.prospect_id and not n.superseded and (n.in_service or n.leased_until > at)
        and p.key in (select jsonb_array_elements_text(r.choice -> 'candidates'))
      order by (n.leased_until > at) desc, case when n.leased_until > at then n.leased_from end, n.leased_until desc, n.did
      limit 1
    ) h on true
    order by r.ord
  );
end
$function$;

CREATE OR REPLACE FUNCTION public.claim_numbers(pool_keys text[], prospects uuid[], devices uuid[], media_elements text[], attribute_sets jsonb)
 RETURNS TABLE(ord bigint, outcome text, prospect uuid, did bigint, leased_until timestamp with time zone, renewed boolean, other_devices_online uuid[], determined_at timestamp with time zone)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
declare
  at timestamptz := clock_timestamp();
  -- One of each for every request, in their order. A state is UnknownPool, Missing (holds nothing), Due (holds a number, which is to be promised
  -- anew), Busy (somebody else writes that number now), Kept or Given.
  pools text[];
  owners uuid[];
  dids bigint[];
  froms timestamptz[];
  untils timestamptz[];
  states text[];
  is_all_as_before boolean;
begin
  -- What the prospect holds, or held last and nobody got since. A number taken out of the pool is honoured while leased. A promise that reaches far
  -- enough, or of a number that is leaving, stands as it is: no write.
  select array_agg(a.pool_uid), array_agg(a.prospect_id), array_agg(a.did), array_agg(a.leased_from), array_agg(a.leased_until),
    array_agg(case when a.pool_uid is null then 'UnknownPool' when a.did is null then 'Missing' when a.stands then 'Kept' else 'Due' end),
    bool_and(a.is_as_before is true)
  into pools, owners, dids, froms, untils, states, is_all_as_before
  from (
    select p.uid as pool_uid, o.prospect_id, h.did, h.leased_from, h.leased_until, h.stands,
      -- Not "exists", for which Postgres may read the whole table, to look it up in memory.
      h.leased_until > at and (
        select true from association s
        where s.did = h.did and s.leased_from = h.leased_from and s.device_id = r.device_id
          and hashtextextended(s.media_element, 0) = hashtextextended(r.media_element, 0)
          and s.other_devices_online = '{}' and s.attributes = r.attributes
          and not exists (select from association o where o.did = s.did and o.leased_from = s.leased_from and o.id <> s.id and o.shown_at >= s.shown_at)
        limit 1
      ) is true and (
        select true from device v where v.prospect_id = o.prospect_id and v.id <> r.device_id and v.online_until > at limit 1
      ) is null as is_as_before
    from rows from (unnest(pool_keys), unnest(prospects), unnest(devices), unnest(media_elements), jsonb_array_elements(attribute_sets))
      with ordinality as r (pool_key, prospect_id, device_id, media_element, attributes, ord)
    left join pool p on p.key = r.pool_key and p.removed_at is null
    cross join lateral (select coalesce((select m.merged_into from prospect m where m.id = r.prospect_id), r.prospect_id) as prospect_id) o
    left join lateral (
      select n.did, n.leased_from, n.leased_until, n.leased_until > at and (not n.in_service or n.leased_until >= at + p.lease) as stands from number n
      where n.pool_uid = p.uid and n.prospect_id = o.prospect_id and not n.superseded and (n.in_service or n.leased_until > at)
      order by (n.leased_until > at) desc, n.in_service desc, n.leased_from
      limit 1
    ) h on true
    order by r.ord
  ) a;

  if 'Due' = any(states) then
    with due as materialized (
      select distinct on (r.did) r.did, r.pool_uid, r.prospect_id, r.leased_from, r.leased_until, p.cooldown,
        -- What is promised once more reaches a twentieth further: the next pages of the same visit then need no write.
        case when r.leased_until > at then p.lease * 1.05 else p.lease end as term
      from unnest(pools, owners, dids, froms, untils, states) as r (pool_uid, prospect_id, did, leased_from, leased_until, state)
      join pool p on p.uid = r.pool_uid
      where r.state = 'Due'
      order by r.did
    ),
    at_once as materialized (
      select d.* from due d join number n on n.did = d.did order by d.did for no key update of n skip locked
    ),
    -- Held by another claim, which is over in a moment: while no reconcile writes (apply-lock.ts), nor can begin before this ends.
    in_turn as materialized (
      select d.* from due d join number n on n.did = d.did
      where d.did not in (select o.did from at_once o) and pg_try_advisory_xact_lock_shared(724601339)
      order by d.did
      for no key update of n
    ),
    ours as materialized (
      select * from at_once union all select * from in_turn
    ),
    -- Another transaction may have taken a number whose lease had ended: the check of prospect_id is made again under the row's lock.
    extended as (
      update number n set
        leased_from = case when n.leased_until > at then n.leased_from else at end,
        leased_until = case when n.in_service then greatest(n.leased_until, at + o.term) else n.leased_until end,
        free_at = case when n.in_service then greatest(greatest(n.leased_until, at + o.term) + o.cooldown, n.promised_until) else n.free_at end
      from ours o
      -- One that a reconcile took out of service since the look above is honoured while leased, as there.
      where n.did = o.did and n.prospect_id = o.prospect_id and n.pool_uid = o.pool_uid and (n.in_service or n.leased_until > at) and not n.superseded
      returning n.did, n.leased_from, n.leased_until
    ),
    -- Held by a reconcile: what is promised stands, and for the rest the visitor asks again.
    renewed as materialized (
      select did, leased_from, leased_until, 'Kept' as state from extended
      union all
      select d.did, d.leased_from, d.leased_until, case when d.leased_until > at then 'Kept' else 'Busy' end
      from due d where d.did not in (select o.did from ours o)
    )
    -- A full join, because that is never made row by row.
    select array_agg(case when r.state = 'Due' then w.leased_from else r.leased_from end order by r.ord),
      array_agg(case when r.state = 'Due' then w.leased_until else r.leased_until end order by r.ord),
      array_agg(case when r.state = 'Due' then coalesce(w.state, 'Missing') else r.state end order by r.ord),
      -- One that ended meanwhile begins anew.
      is_all_as_before and bool_and(r.state <> 'Due' or w.leased_from = r.leased_from)
    into froms, untils, states, is_all_as_before
    from unnest(dids, froms, untils, states) with ordinality as r (did, leased_from, leased_until, state, ord)
    full join renewed w on w.did = r.did;
  end if;

  -- The next pages of the same visit: the history has them already, and nobody else is online. Most requests end here.
  if is_all_as_before and 'Kept' = all(states) then
    return query
    select r.ord, 'Assigned', r.prospect_id, r.did, r.leased_until, true, '{}'::uuid[], at
    from unnest(owners, dids, untils) with ordinality as r (prospect_id, did, leased_until, ord)
    order by r.ord;
    return;
  end if;

  if 'Missing' = any(states) then
    with missing as materialized (
      select w.pool_uid, w.prospect_id, p.lease, p.cooldown, p.on_exhausted, row_number() over (partition by w.pool_uid order by w.place) as turn
      from (
        select r.pool_uid, r.prospect_id, min(r.ord) as place
        from unnest(pools, owners, states) with ordinality as r (pool_uid, prospect_id, state, ord)
        where r.state = 'Missing'
        group by r.pool_uid, r.prospect_id
      ) w
      join pool p on p.uid = w.pool_uid
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
    -- ReclaimOldest gives up the rest of a cool-down, never a promise: docs/decisions/0003. What cools down is free within a cool-down's time, in
    -- the order of the index: that in which the leases ended, and no more are looked at than are given.
    reclaimed as materialized (
      select d.pool_uid, f.did, d.supplied + row_number() over (partition by d.pool_uid order by f.free_at, f.did) as turn
      from (
        select m.pool_uid, m.wanted, m.cooldown, (select count(*) from free f where f.pool_uid = m.pool_uid) as supplied
        from demand m where m.on_exhausted = 'ReclaimOldest'
      ) d
      cross join lateral (
        select n.did, n.free_at from number n
        where d.supplied < d.wanted and n.pool_uid = d.pool_uid and n.in_service and n.leased_until <= at and n.free_at > at and n.free_at <= at + d.cooldown
          and (n.promised_until is null or n.promised_until <= at)
          and not exists (select from device v where v.prospect_id = n.prospect_id and v.online_until > at)
          and not exists (select from call c where c.did = n.did and c.ended_at is null and c.received_at > at - interval '1 day')
          and not exists (select from call c where c.prospect_id = n.prospect_id and c.ended_at is null and c.received_at > at - interval '1 day')
        order by n.free_at, n.did
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
    )
    select array_agg(case when r.state = 'Missing' then g.did else r.did end order by r.ord),
      array_agg(case when r.state = 'Missing' then g.leased_from else r.leased_from end order by r.ord),
      array_agg(case when r.state = 'Missing' then g.leased_until else r.leased_until end order by r.ord),
      array_agg(case when r.state = 'Missing' and g.did is not null then 'Given' else r.state end order by r.ord)
    into dids, froms, untils, states
    from unnest(pools, owners, dids, froms, untils, states) with ordinality as r (pool_uid, prospect_id, did, leased_from, leased_until, state, ord)
    full join given g on g.prospect_id = r.prospect_id and g.pool_uid = r.pool_uid;
  end if;

  return query
  -- Determined before the number is shown: which other devices of the prospect are online now. Each is told: whoever has a token can make
  -- devices without end, so that only the 16 heard of last count.
  with answer as materialized (
    select r.*,
      -- Not while the number is somebody's: it may have been lent before it was set apart.
      case when r.state in ('Missing', 'Busy') then (
        select p.overflow from pool p
        where p.uid = r.pool_uid and p.on_exhausted = 'Overflow'
          and (select true from number n where n.did = p.overflow and n.free_at > at limit 1) is null
      ) end as shared,
      coalesce((
        select array_agg(o.id order by o.id) from (
          select v.id from device v
          where v.prospect_id = r.prospect_id and v.id <> r.device_id and v.online_until > at
          order by v.online_until desc limit 16
        ) o
      ), '{}') as other_devices_online
    from rows from (unnest(pools), unnest(owners), unnest(dids), unnest(froms), unnest(untils), unnest(states), unnest(devices), unnest(media_elements), jsonb_array_elements(attribute_sets))
      with ordinality as r (pool_uid, prospect_id, did, leased_from, leased_until, state, device_id, media_element, attributes, ord)
  ),
  shown as (
    select distinct on (did, leased_from, device_id, media_element)
      did, pool_uid, prospect_id, device_id, media_element, attributes, leased_from, other_devices_online
    from answer where state in ('Kept', 'Given')
    order by did, leased_from, device_id, media_element, ord desc
  ),
  -- What is there already costs no write, not even a lock. Shown again after something else: which media element was shown last decides
  -- whom a call is put down to.
  history as (
    insert into association as a (did, pool_uid, prospect_id, device_id, media_element, attributes, leased_from, other_devices_online, determined_at, shown_at)
    select w.*, at, at from shown w
    where (
      select true from association s
      where s.did = w.did and s.leased_from = w.leased_from and s.device_id = w.device_id
        and hashtextextended(s.media_element, 0) = hashtextextended(w.media_element, 0)
        and s.other_devices_online = w.other_devices_online and s.attributes = w.attributes
        and not exists (select from association o where o.did = s.did and o.leased_from = s.leased_from and o.id <> s.id and o.shown_at >= s.shown_at)
      limit 1
    ) is null
    on conflict (did, leased_from, device_id, hashtextextended(media_element, 0)) do update
      set other_devices_online = excluded.other_devices_online, determined_at = excluded.determined_at, attributes = excluded.attributes,
        shown_at = excluded.shown_at
  )
  select a.ord,
    case
      when a.state in ('Kept', 'Given') then 'Assigned'
      when a.shared is not null then 'Overflow'
      when a.state = 'UnknownPool' then a.state
      else 'Exhausted'
    end,
    a.prospect_id,
    case when a.state in ('Kept', 'Given') then a.did else a.shared end,
    case when a.state in ('Kept', 'Given') then a.leased_until end,
    case when a.state in ('Kept', 'Given') then a.state = 'Kept' end,
    a.other_devices_online, at
  from answer a
  order by a.ord;
end
$function$;

CREATE OR REPLACE FUNCTION public.erased_among(prospects text[], callers text[])
 RETURNS SETOF erasure
 LANGUAGE plpgsql
 ROWS 1
AS $function$
begin
  perform pg_advisory_xact_lock_shared(1482, 0);
  -- Mostly nobody was: then no hash is made.
  if exists (select from erasure) then
    return query select e.* from erasure e where e.subject = any (array(
      select erasure_subject('prospect', p) from unnest(prospects) as p union select erasure_subject('caller', c) from unnest(callers) as c
    ));
  end if;
end
$function$;

CREATE OR REPLACE FUNCTION public.erasure_subject(kind text, value text)
 RETURNS bytea
 LANGUAGE sql
 STABLE
AS $function$
  select sha256(convert_to(kind || ' ' || value, 'UTF8'))
$function$;

CREATE OR REPLACE FUNCTION public.keep_live_legs()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  delete from live_leg l using written w
  where l.call_id = w.id
    and (w.ended_at is not null
      or l.channel not in (select leg ->> 'channel' from jsonb_array_elements(w.legs) leg where leg ->> 'endedAt' is null));
  insert into live_leg (channel, call_id, destination)
  select leg ->> 'channel', w.id, leg ->> 'destination'
  from written w cross join lateral jsonb_array_elements(w.legs) leg
  where w.ended_at is null and leg ->> 'endedAt' is null
  on conflict (channel) do nothing;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION public.mark_revision()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.mark := gen_random_uuid();
  insert into revision_mark (value, mark) values (new.value, new.mark)
  on conflict (value) do update set mark = excluded.mark, made_at = excluded.made_at;
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION public.meet_visitors(visitors uuid[], devices uuid[])
 RETURNS uuid[]
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
declare
  prospects uuid[];
  present uuid[];
  are_known boolean;
begin
  loop
    -- Each by itself: of tables that were small when they were last looked at, a join may read all.
    select array_agg(coalesce(p.merged_into, d.prospect_id, m.merged_into, m.id,
        case when (select exists (select from erasure)) then newcomer(r.visitor, r.device) else r.visitor end) order by r.ord), bool_and(d.id is not null)
    into present, are_known
    from unnest(visitors, devices) with ordinality as r (visitor, device, ord)
    left join lateral (select d.id, d.prospect_id from device d where d.id = r.device limit 1) d on true
    left join lateral (select p.merged_into from prospect p where p.id = d.prospect_id limit 1) p on true
    left join lateral (select m.id, m.merged_into from prospect m where m.id = r.visitor limit 1) m on true;
    exit when present is not distinct from prospects;

    prospects := present;
    perform pg_advisory_xact_lock(hashtextextended(k.prospect::text, 0))
    from (select distinct p.prospect from unnest(prospects) as p (prospect) order by p.prospect) as k;
    -- Who is erased while his lock is waited for is somebody else when it is had. Mostly nobody was, and nobody is looked up again.
    exit when not exists (select from erasure);
  end loop;

  if not are_known then
    with request as (
      -- Whom it was merged into while its lock was waited for: a device is nobody's who is no more.
      select distinct on (r.device) r.device, coalesce((select m.merged_into from prospect m where m.id = r.prospect), r.prospect) as prospect
      from unnest(devices, prospects) as r (device, prospect)
      order by r.device
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
$function$;

CREATE OR REPLACE FUNCTION public.newcomer(visitor uuid, device uuid)
 RETURNS uuid
 LANGUAGE plpgsql
 STABLE
AS $function$
begin
  if exists (select from erasure) and not exists (select from prospect p where p.id = visitor)
    and exists (select from erasure e where e.subject = erasure_subject('prospect', visitor::text))
  then
    return encode(substring(sha256(convert_to(visitor || ' ' || device, 'UTF8')) for 16), 'hex')::uuid;
  end if;
  return visitor;
end
$function$;

CREATE OR REPLACE FUNCTION public.note_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.changed_with := (select value + 1 from revision);
  return new;
end
$function$;

CREATE OR REPLACE FUNCTION public.note_removal()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  insert into removal (uid, kind, removed_with) select old.uid, tg_table_name, value + 1 from revision
  on conflict (uid, kind) do update set removed_with = excluded.removed_with, removed_at = excluded.removed_at;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION public.take_seat(p_channel text, p_destination text, p_destination_limit integer, p_trunk text, p_trunk_limit integer, p_lifetime interval)
 RETURNS text
 LANGUAGE plpgsql
AS $function$
begin
  if p_destination_limit is not null then
    perform pg_advisory_xact_lock(1480, hashtext(p_destination));
    if (select count(*) from seat where destination = p_destination and expires_at > now() and channel <> p_channel) >= p_destination_limit then
      return 'destination';
    end if;
  end if;
  if p_trunk_limit is not null then
    perform pg_advisory_xact_lock(1481, hashtext(p_trunk));
    if (select count(*) from seat where trunk = p_trunk and expires_at > now() and channel <> p_channel) >= p_trunk_limit then
      return 'trunk';
    end if;
  end if;
  insert into seat (channel, destination, trunk, expires_at) values (p_channel, p_destination, p_trunk, now() + p_lifetime)
  on conflict (channel) do update set expires_at = excluded.expires_at;
  return null;
end
$function$;
