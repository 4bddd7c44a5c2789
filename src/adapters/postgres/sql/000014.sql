-- Whose a device is from now on that nobody knows, by what its tokens say. All devices of a person who was erased name the same prospect still and
-- would be one person again without any log-in: each gets one of its own, the same however many requests of it come at once. For
-- as long as the erasure is noted: 90 days. Not in SQL, which would be worked into the plan of whoever calls it, and could read whole tables there.
create function newcomer(visitor uuid, device uuid) returns uuid language plpgsql stable as $$
begin
  if exists (select from erasure) and not exists (select from prospect p where p.id = visitor)
    and exists (select from erasure e where e.subject = erasure_subject('prospect', visitor::text))
  then
    return encode(substring(sha256(convert_to(visitor || ' ' || device, 'UTF8')) for 16), 'hex')::uuid;
  end if;
  return visitor;
end
$$;

-- As before, but for newcomers.
--
-- Who asks: answers the prospect that each device belongs to now, after merges and log-ins, makes prospects and devices that are new, and
-- locks the prospects for the rest of the transaction: two claims of one prospect never run at the same time, nor a claim and a merge. What
-- runs after it sees what those before committed.
create or replace function meet_visitors(visitors uuid[], devices uuid[])
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
