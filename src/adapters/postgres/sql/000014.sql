-- Calls that each RoundRobin rule took: those of other rules of its pools turn nothing on. Unlogged: a lost count costs nothing, and writing it waits for
-- no disk.
drop table pool_sequence;
create unlogged table rule_turn (
  rule_uid text primary key references rule (uid) on delete cascade,
  calls bigint not null
);
