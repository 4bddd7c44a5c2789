import type pg from "pg";
import { attribute, NOTHING_KNOWN } from "../../domain/attribution.ts";
import type { CallQuestion, RouterStore } from "../../domain/ports.ts";
import type { CallContext, Uuid } from "../../domain/types.ts";
import { toDid } from "./did.ts";

type ContextQuestion = Parameters<RouterStore["callContext"]>[0];

interface Row {
  readonly overflow: boolean;
  readonly window_seconds: number;
  readonly prospect_id: Uuid | null;
  readonly leased_until: Date | null;
  readonly free_at: Date | null;
  readonly previous_leased_until: Date | null;
  readonly reached_before: Uuid | null;
  readonly shown: readonly Shown[];
  readonly repeat_caller: boolean;
  readonly last_answered_by: string | null;
  readonly live_calls: Record<string, number>;
}

/** One thing that the holder, or the prospect whom this caller reached before, was shown with the DID. */
interface Shown {
  readonly prospect: Uuid;
  readonly mediaElement: string;
  readonly attributes: Record<string, string>;
}

/** Where a statement has what is asked: in its parameters, or in the columns of a list of questions. */
interface Asked {
  readonly did: string;
  readonly pool: string;
  readonly caller: string;
}

const PARAMETERS: Asked = { did: "$1::bigint", pool: "$2::text", caller: "$3::text" };

function contextQuery(liveCalls: string, { did, pool, caller }: Asked = PARAMETERS): string {
  return `with fact as materialized (
      select
        p.overflow is not distinct from ${did} as overflow,
        extract(epoch from p.attribution_window)::double precision as window_seconds,
        n.prospect_id,
        nullif(n.leased_until, '-infinity') as leased_until,
        nullif(n.free_at, '-infinity') as free_at,
        case when coalesce(before.merged_into, n.previous_prospect_id) is distinct from n.prospect_id
          then nullif(n.previous_leased_until, '-infinity') end as previous_leased_until,
        (select coalesce(m.merged_into, c.prospect_id) from call c left join prospect m on m.id = c.prospect_id
          where c.pool_key = ${pool} and left(c.caller, 16) = ${caller} and c.caller = ${caller} and c.did = ${did} and c.prospect_id is not null
          order by c.received_at desc limit 1) as reached_before
      from pool p
      left join number n on n.did = ${did} and n.pool_uid = p.uid
      left join prospect before on before.id = n.previous_prospect_id
      where p.key = ${pool} and p.removed_at is null
    )
    select f.*,
      coalesce((
        select jsonb_agg(
          jsonb_build_object('prospect', s.prospect_id, 'mediaElement', s.media_element, 'attributes', s.attributes) order by s.shown_at desc, s.id desc
        )
        from unnest(array[f.prospect_id, nullif(f.reached_before, f.prospect_id)]) as w (prospect_id)
        cross join lateral (
          select a.id, a.prospect_id, a.media_element, a.attributes, a.shown_at from association a
          where a.prospect_id = w.prospect_id and a.did = ${did}
          order by a.shown_at desc, a.id desc limit 20
        ) s
      ), '[]') as shown,
      exists (
        select from call c
        where c.pool_key = ${pool} and left(c.caller, 16) = ${caller} and c.caller = ${caller} and c.answered_at is not null
      ) as repeat_caller,
      (select c.answered_by from call c
        where c.pool_key = ${pool} and left(c.caller, 16) = ${caller} and c.caller = ${caller} and c.answered_by is not null
        order by c.received_at desc limit 1) as last_answered_by,
      ${liveCalls} as live_calls
    from fact f`;
}

/** No call lasts longer than a day (maxCallSeconds): what a pod that never came back left open doesn't count for ever. */
const LIVE_CALLS = `coalesce((select jsonb_object_agg(l.destination, l.calls) from (
        select l.destination, count(*) as calls
        from live_leg l join call c on c.id = l.call_id
        where c.received_at > now() - interval '1 day'
        group by l.destination
      ) l), '{}')`;
const NO_LIVE_CALLS = "'{}'::jsonb";

interface Query {
  readonly name: string;
  readonly text: string;
}

const WITH_LIVE_CALLS: Query = { name: "call-context-live", text: contextQuery(LIVE_CALLS) };
const WITHOUT: Query = { name: "call-context", text: contextQuery(NO_LIVE_CALLS) };

/**
 * A row for each, in order. Not from arrays: how many there are of those is known when a plan is made, so that Postgres found a plan of its own
 * for each time to be worth its millisecond.
 */
const TOGETHER: Query = {
  name: "call-contexts",
  text: `select known.* from jsonb_to_recordset($1::jsonb) as asked (turn int, did bigint, pool text, caller text)
    left join lateral (${contextQuery(NO_LIVE_CALLS, { did: "asked.did", pool: "asked.pool", caller: "asked.caller" })}) known on true
    order by asked.turn`,
};

/** What is known of a call that comes in: one query, which writes nothing. */
export function readCallContext(pool: pg.Pool, question: ContextQuestion): Promise<CallContext> {
  return read(pool, question.liveCalls === false ? WITHOUT : WITH_LIVE_CALLS, question);
}

/** The same of many calls, in their order, without calls in progress. */
export async function readCallContexts(pool: pg.Pool, questions: readonly CallQuestion[]): Promise<readonly CallContext[]> {
  const asked = questions.map(({ did, pool: key, caller }, turn) => ({ turn, did: toDid(did), pool: key, caller }));
  const { rows } = await pool.query<Row | { readonly overflow: null }>({ ...TOGETHER, values: [JSON.stringify(asked)] });
  return questions.map(({ at }, index) => contextOf(rows[index], at));
}

async function read(pool: pg.Pool, query: Query, question: ContextQuestion): Promise<CallContext> {
  const { rows } = await pool.query<Row>({ ...query, values: [toDid(question.did), question.pool, question.caller] });
  return contextOf(rows[0], question.at);
}

/** @param row none, or one of nulls, when the pool is not there */
function contextOf(row: Row | { readonly overflow: null } | undefined, at: Date): CallContext {
  if (row === undefined || row.overflow === null) return NOTHING_KNOWN;
  const { attribution, prospect } = attribute(factsOf(row, at));
  const shown = row.shown.filter((one) => one.prospect === prospect);
  return {
    attribution,
    prospect,
    mediaElements: [...new Set(shown.map((one) => one.mediaElement))],
    attributes: shown[0]?.attributes ?? {},
    repeatCaller: row.repeat_caller,
    lastAnsweredBy: row.last_answered_by,
    liveCalls: row.live_calls,
  };
}

function factsOf(row: Row, at: Date) {
  const { prospect_id, leased_until, free_at } = row;
  const last = prospect_id === null || leased_until === null || free_at === null ? null : { prospect: prospect_id, leasedUntil: leased_until, freeAt: free_at };
  return {
    at,
    overflow: row.overflow,
    last,
    previousLeasedUntil: row.previous_leased_until,
    reachedBefore: row.reached_before,
    windowSeconds: row.window_seconds,
  };
}
