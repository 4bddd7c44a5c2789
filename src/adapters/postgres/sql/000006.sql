-- Who keeps a copy of pools, rules and trunks asks for what changed after his revision instead of reading everything again.
-- Every row knows the revision that it changed with: the one after the present, because a reconcile counts it up as the last thing
-- it does, and no two write at the same time.
alter table pool add column changed_with bigint not null default 0;
alter table rule add column changed_with bigint not null default 0;
alter table trunk add column changed_with bigint not null default 0;
create index pool_changed on pool (changed_with);
create index rule_changed on rule (changed_with);
create index trunk_changed on trunk (changed_with);

-- Rows that are not there any more to say so.
create table removal (
  uid text not null,
  kind text not null,
  removed_with bigint not null,
  removed_at timestamptz not null default now(),
  primary key (uid, kind)
);
create index removal_with on removal (removed_with);

-- Changes are told from here on; who is behind this has to read everything.
alter table revision add column changes_since bigint not null default 0;
update revision set changes_since = value;

create function note_change() returns trigger language plpgsql as $$
begin
  new.changed_with := (select value + 1 from revision);
  return new;
end
$$;
create trigger note_change before insert or update on pool for each row execute function note_change();
create trigger note_change before insert or update on rule for each row execute function note_change();
create trigger note_change before insert or update on trunk for each row execute function note_change();

create function note_removal() returns trigger language plpgsql as $$
begin
  insert into removal (uid, kind, removed_with) select old.uid, tg_table_name, value + 1 from revision
  on conflict (uid, kind) do update set removed_with = excluded.removed_with, removed_at = excluded.removed_at;
  return null;
end
$$;
create trigger note_removal after delete on pool for each row execute function note_removal();
create trigger note_removal after delete on rule for each row execute function note_removal();
create trigger note_removal after delete on trunk for each row execute function note_removal();
