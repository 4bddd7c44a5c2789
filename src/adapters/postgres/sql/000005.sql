-- Seats: places at a destination or a trunk with a limit on calls at the same time. A call takes its seat before it is dialled, so that
-- calls which race on several pods can't pass the limit together; live_leg follows the record and comes too late for that.
-- Unlogged: after a crash of the database all seats are free, which lets a call too many through for a while, and writing waits for no disk.
create unlogged table seat (
  channel text primary key,
  destination text not null,
  trunk text not null,
  -- Renewed by the pod while its call lives: a pod that died gives its seats back.
  expires_at timestamptz not null
);
create index seat_destination on seat (destination);
create index seat_trunk on seat (trunk);

-- Answers null when the seat was taken, else which limit was reached. Takers of one destination or trunk go one after the other; the
-- destination is always locked before the trunk, so that two can't wait for each other. To take a seat again is to keep it.
create function take_seat(p_channel text, p_destination text, p_destination_limit int, p_trunk text, p_trunk_limit int, p_lifetime interval)
returns text language plpgsql as $$
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
$$;
