-- Who was erased, for calls that the database gets afterwards: from a router's memory or disk, or from the dialplan's file. By hashes, which
-- are kept for 90 days (retention-erasures.ts).
create table erasure (
  subject bytea primary key,
  erased_at timestamptz not null
);
create index erasure_age on erasure (erased_at);

-- What stands for a prospect's id ('prospect') or for a caller's number ('caller').
create function erasure_subject(kind text, value text) returns bytea language sql stable as $$
  select sha256(convert_to(kind || ' ' || value, 'UTF8'))
$$;

-- Which of these were erased. Whoever saves calls asks before he writes the first of them, and erasures wait until he has committed; while an
-- erasure is under way he waits for it. A function, because it looks anew with the lock held: the statement that calls it may have begun before
-- the erasure did.
create function erased_among(prospects text[], callers text[]) returns setof erasure language plpgsql rows 1 as $$
begin
  perform pg_advisory_xact_lock_shared(1482, 0);
  -- Mostly nobody was: then no hash is made.
  if exists (select from erasure) then
    return query select e.* from erasure e where e.subject = any (array(
      select erasure_subject('prospect', p) from unnest(prospects) as p union select erasure_subject('caller', c) from unnest(callers) as c
    ));
  end if;
end
$$;
