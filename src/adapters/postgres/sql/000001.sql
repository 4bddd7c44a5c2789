-- What is declared, what is lent, who saw what, which calls came. A DID is a bigint: E.164 without "+", never with a leading 0.

create table revision (
  id boolean primary key default true check (id),
  value bigint not null default 0
);
insert into revision default values;

create table pool (
  uid text primary key,
  key text not null,
  created_at timestamptz not null,
  generation bigint not null,
  labels jsonb not null,
  spec jsonb not null,
  owned jsonb not null,
  lease interval not null,
  cooldown interval not null,
  attribution_window interval not null,
  on_exhausted text not null check (on_exhausted in ('Overflow', 'LeavePage', 'ReclaimOldest')),
  overflow bigint,
  removed_at timestamptz
);
create unique index pool_key on pool (key) where removed_at is null;

-- Pools with reclaimPolicy Delete that were deleted: what they left behind is deleted in small pieces, and what comes late too.
create table pool_remains (
  pool_uid text primary key references pool (uid) on delete cascade,
  noted_at timestamptz not null default now(),
  -- No association is the pool's any more, and none will be.
  looked_through boolean not null default false
);

create table rule (
  uid text primary key,
  key text not null,
  created_at timestamptz not null,
  pools text[] not null,
  spec jsonb not null
);

create table trunk (
  uid text primary key,
  key text not null,
  created_at timestamptz not null,
  spec jsonb not null
);

create table dialplan (
  revision bigint primary key,
  hash text not null,
  marker text not null,
  content text not null,
  created_at timestamptz not null default now()
);

create table pod (
  pod text primary key,
  running text,
  error text,
  routing bigint,
  trunks jsonb,
  seen_at timestamptz not null
);

create table prospect (
  id uuid primary key,
  created_at timestamptz not null default now(),
  merged_into uuid
);

create table person (
  site text not null,
  subject_hash bytea not null,
  prospect_id uuid not null references prospect (id) on delete cascade,
  primary key (site, subject_hash)
);
create unique index person_prospect on person (prospect_id);

-- The presence of a device is written often: room on the page and no index on it keep that cheap (heap-only updates).
create table device (
  id uuid primary key,
  prospect_id uuid not null references prospect (id) on delete cascade,
  created_at timestamptz not null default now(),
  online_until timestamptz not null default '-infinity'
) with (fillfactor = 70);
create index device_prospect on device (prospect_id);

-- Leased, cooling down or free follows from the timestamps alone; no job decides anything.
create table number (
  did bigint primary key,
  pool_uid text not null references pool (uid),
  in_service boolean not null default true,
  superseded boolean not null default false,
  prospect_id uuid,
  leased_from timestamptz,
  leased_until timestamptz not null default '-infinity',
  free_at timestamptz not null default '-infinity',
  previous_prospect_id uuid,
  previous_leased_until timestamptz
) with (fillfactor = 70);
create index number_free on number (pool_uid, free_at, did) where in_service;
create unique index number_held on number (pool_uid, prospect_id) where prospect_id is not null and in_service and not superseded;
create index number_prospect on number (prospect_id) where prospect_id is not null;
create index number_retired on number (pool_uid, free_at) where not in_service;

create table association (
  id bigint generated always as identity primary key,
  did bigint not null,
  pool_uid text not null,
  prospect_id uuid not null,
  device_id uuid not null,
  media_element text not null,
  attributes jsonb not null,
  leased_from timestamptz not null,
  other_devices_online uuid[] not null,
  determined_at timestamptz not null,
  shown_at timestamptz not null
);
-- By hash: an index entry may have 2,700 bytes, and what a page names its elements is not ours.
create unique index association_once on association (did, leased_from, device_id, hashtextextended(media_element, 0));
create index association_prospect on association (prospect_id, did);

create table call (
  id text primary key,
  stage int not null,
  pod text not null,
  did bigint not null,
  pool_key text not null,
  caller text,
  received_at timestamptz not null,
  answered_at timestamptz,
  bridged_at timestamptz,
  ended_at timestamptz,
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
  -- The prospect was forgotten: a replay must not bring the identity back.
  erased boolean not null default false
);
create index call_received on call (received_at desc, id);
-- "+" and 15 digits are all that is ever looked for; a caller may send kilobytes.
create index call_caller on call (pool_key, left(caller, 16), received_at desc) where caller is not null;
create index call_live on call (did) where ended_at is null;
create index call_prospect on call (prospect_id) where prospect_id is not null;

-- Calls in progress by destination, for concurrency caps.
create table live_leg (
  channel text primary key,
  call_id text not null references call (id) on delete cascade,
  destination text not null
);
create index live_leg_call on live_leg (call_id);

-- Keeps live_leg what the call's record says. A trigger, because it runs with the record's row locked and looks anew: of two records of
-- one call that are written at the same moment, the later one would otherwise not see the legs that the earlier one has just added.
create function keep_live_legs() returns trigger language plpgsql as $$
begin
  delete from live_leg l
  where l.call_id = new.id
    and (new.ended_at is not null
      or l.channel not in (select leg ->> 'channel' from jsonb_array_elements(new.legs) leg where leg ->> 'endedAt' is null));
  insert into live_leg (channel, call_id, destination)
  select leg ->> 'channel', new.id, leg ->> 'destination'
  from jsonb_array_elements(new.legs) leg
  where new.ended_at is null and leg ->> 'endedAt' is null
  on conflict (channel) do nothing;
  return null;
end
$$;
create trigger keep_live_legs after insert or update of legs, ended_at on call for each row execute function keep_live_legs();

-- Counts calls for round robin. Unlogged: a lost count costs nothing, and writing it waits for no disk.
create unlogged table pool_sequence (
  pool_key text primary key,
  value bigint not null
);
