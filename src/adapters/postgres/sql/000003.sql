-- Which operator may write: the one with the largest term. A leader that was deposed and does not know it yet is refused.
create table leadership (
  singleton boolean primary key default true check (singleton),
  term bigint not null,
  holder text not null,
  since timestamptz not null default now()
);
