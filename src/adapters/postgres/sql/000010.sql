-- Live legs of all records that a statement wrote, at once: records are written many at a time. Still a trigger, for the same reason: it runs
-- with the records' rows locked and looks anew.
drop trigger keep_live_legs on call;
create or replace function keep_live_legs() returns trigger language plpgsql as $$
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
$$;
create trigger keep_live_legs_of_new after insert on call referencing new table as written for each statement execute function keep_live_legs();
create trigger keep_live_legs after update on call referencing new table as written for each statement execute function keep_live_legs();
