-- What calls are looked up by, the newest first: a page of 100 is found without going through all others, however rare what is looked for is.
create index call_pool on call (pool_key, received_at desc, id);
create index call_attribution on call (attribution, received_at desc, id);
create index call_ending on call (ending, received_at desc, id);
-- How a caller's number begins. Not partial: Postgres would not use what it knows of the values, take any caller for one of few, and go through all calls.
create index call_caller_prefix on call (left(caller, 16) text_pattern_ops, received_at desc);
-- Whom the legs rang: one entry a leg, where an index on all of `legs` would have ten.
create index call_destination on call using gin (jsonb_path_query_array(legs, '$[*].destination') jsonb_path_ops);
