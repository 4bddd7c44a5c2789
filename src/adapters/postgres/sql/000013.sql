-- What a prospect gave back may stand on other pages of his still: until when they were promised it. Nobody else gets the number before then,
-- not even where the pool reclaims (docs/decisions/0045).
alter table number add column promised_until timestamptz;

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
