-- Which pool each request gets its number from, where the pool asked for names others by the visit's source (domain/source-pool.ts): of the
-- candidates the one whose number the prospect holds, else the one that the source says, else the one whose number the prospect held last
-- and nobody got since, else the pool asked for. A request without a choice has null there.
--
-- In the transaction of the claim, after meet_visitors has locked the prospects: two requests of one prospect can't choose differently.
create function choose_pools(pool_keys text[], prospects uuid[], choices jsonb)
returns text[]
language plpgsql
-- As for claim_numbers.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_mergejoin = off
set jit = off
as $$
declare
  at timestamptz := clock_timestamp();
begin
  return array(
    select coalesce(
      h.held,
      -- Of requests that one prospect makes at the same moment the first one decides.
      first_value(r.choice ->> 'matched') over (partition by r.prospect_id, r.pool_key order by r.ord),
      h.last,
      r.pool_key
    )
    from (
      select q.ord, q.pool_key, coalesce((select m.merged_into from prospect m where m.id = q.prospect_id), q.prospect_id) as prospect_id, q.choice
      from rows from (unnest(pool_keys), unnest(prospects), jsonb_array_elements(choices)) with ordinality as q (pool_key, prospect_id, choice, ord)
    ) r
    left join lateral (
      select case when n.leased_until > at then p.key end as held, p.key as last
      from number n join pool p on p.uid = n.pool_uid and p.removed_at is null
      where n.prospect_id = r.prospect_id and not n.superseded and (n.in_service or n.leased_until > at)
        and p.key in (select jsonb_array_elements_text(r.choice -> 'candidates'))
      order by (n.leased_until > at) desc, case when n.leased_until > at then n.leased_from end, n.leased_until desc, n.did
      limit 1
    ) h on true
    order by r.ord
  );
end
$$;
