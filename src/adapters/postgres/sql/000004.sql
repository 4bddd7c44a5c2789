-- The busiest that a pool was in each hour: what its recommended size is worked out from. Leases begun, counted as a rate.
create table pool_demand (
  pool_uid text not null references pool (uid) on delete cascade,
  hour timestamptz not null,
  arrivals_per_hour double precision not null,
  visit_seconds double precision not null,
  primary key (pool_uid, hour)
);

-- Of the few prospects that were merged, whom they were merged into.
create index prospect_merged on prospect (merged_into) where merged_into is not null;
