-- A revision is a number, and after a failover or a restore that lost some the same number comes again with another content. So each has a random
-- mark: who keeps a copy compares both. A trigger, so that it is renewed whoever counts the revision up.
alter table revision add column mark uuid not null default gen_random_uuid();

-- Of the revisions that this database has had: who comes with another one is told everything, and not what changed.
create table revision_mark (
  value bigint primary key,
  mark uuid not null,
  made_at timestamptz not null default now()
);
insert into revision_mark (value, mark) select value, mark from revision;

create function mark_revision() returns trigger language plpgsql as $$
begin
  new.mark := gen_random_uuid();
  insert into revision_mark (value, mark) values (new.value, new.mark)
  on conflict (value) do update set mark = excluded.mark, made_at = excluded.made_at;
  return new;
end
$$;
create trigger mark_revision before update on revision for each row when (new.value <> old.value) execute function mark_revision();
