import type pg from "pg";
import { AFTERWARDS } from "../../domain/call-reasons.ts";
import { Coalescer } from "../../domain/coalescer.ts";
import type { CallRecord } from "../../domain/types.ts";
import { toDid } from "./did.ts";
import { isFaultOfOneItem, retrying } from "./retry.ts";
import { storableJson } from "./text.ts";

const LEG_STEPS = 999;
/** The last phase: `endedAt` is set. */
const ENDED = 3;

/** Grows with everything that happens to a call and its legs: a later state is never undone by a replay of an earlier one. */
function stageOf(record: CallRecord): number {
  const phase = [record.answeredAt, record.bridgedAt, record.endedAt].findLastIndex((at) => at !== null) + 1;
  const steps = record.legs.reduce((sum, leg) => sum + 1 + Number(leg.answeredAt !== null) + Number(leg.endedAt !== null), 0);
  const stage = phase * (LEG_STEPS + 1) + Math.min(steps, LEG_STEPS);
  // An end that was concluded afterwards is later than everything but an end that was seen.
  const concluded = record.endedAt !== null && record.why.some(({ reason }) => AFTERWARDS.includes(reason));
  return concluded ? ENDED * (LEG_STEPS + 1) - 1 : stage;
}

/** Who called and why is left out of what came before an erasure of that caller or prospect (erased_among). */
const INSERT = `with record as materialized (
      select r.* from jsonb_to_recordset($1::jsonb) as r (
        id text, stage int, pod text, did bigint, pool_key text, caller text, received_at timestamptz, answered_at timestamptz,
        bridged_at timestamptz, ended_at timestamptz, ending text, hangup_cause smallint, attribution text, prospect_id uuid,
        media_element text, attributes jsonb, rule_key text, answered_by text, bridge text, legs jsonb, why jsonb
      )
    ),
    forgotten as materialized (
      select distinct r.id
      from record r
      join erased_among(
        array(select prospect_id::text from record where prospect_id is not null), array(select caller from record where caller is not null)
      ) e on e.erased_at >= r.received_at
        and e.subject in (erasure_subject('prospect', r.prospect_id::text), erasure_subject('caller', r.caller))
    )
    insert into call as c (
      id, stage, pod, did, pool_key, caller, received_at, answered_at, bridged_at, ended_at, ending, hangup_cause,
      attribution, prospect_id, media_element, attributes, rule_key, answered_by, bridge, legs, why, erased
    )
    select
      r.id, r.stage, r.pod, r.did, r.pool_key, case when f.id is null then r.caller end, r.received_at, r.answered_at, r.bridged_at, r.ended_at,
      r.ending, r.hangup_cause, r.attribution,
      case when f.id is null then coalesce((select p.merged_into from prospect p where p.id = r.prospect_id), r.prospect_id) end,
      case when f.id is null then r.media_element end, case when f.id is null then r.attributes else '{}' end,
      r.rule_key, r.answered_by, r.bridge, r.legs, case when f.id is null then r.why else '[]' end, f.id is not null
    from record r
    left join forgotten f on f.id = r.id
    order by r.id`;

const SAVE = {
  name: "save-calls",
  text: `${INSERT}
    on conflict (id) do update set
      stage = excluded.stage, answered_at = excluded.answered_at, bridged_at = excluded.bridged_at, ended_at = excluded.ended_at,
      ending = excluded.ending, hangup_cause = excluded.hangup_cause, attribution = excluded.attribution,
      caller = case when excluded.erased then null else c.caller end,
      prospect_id = case when c.erased then null else excluded.prospect_id end,
      media_element = case when c.erased then null else excluded.media_element end,
      attributes = case when c.erased then '{}' else excluded.attributes end,
      why = case when c.erased then '[]' else excluded.why end,
      erased = c.erased or excluded.erased,
      rule_key = excluded.rule_key, answered_by = excluded.answered_by, bridge = excluded.bridge, legs = excluded.legs
      where excluded.stage >= c.stage`,
};

/** Later than anything that a router saw: it had given the call away. Who called and why it went there stays as the router found it. */
const SERVED_STAGE = (ENDED + 1) * (LEG_STEPS + 1);
const SAVE_SERVED = {
  name: "save-served-calls",
  text: `${INSERT}
    on conflict (id) do update set
      stage = excluded.stage, answered_at = excluded.answered_at, bridged_at = excluded.bridged_at, ended_at = excluded.ended_at,
      ending = excluded.ending, hangup_cause = excluded.hangup_cause, answered_by = excluded.answered_by,
      caller = case when excluded.erased then null else c.caller end,
      prospect_id = case when excluded.erased then null else c.prospect_id end,
      media_element = case when excluded.erased then null else c.media_element end,
      attributes = case when excluded.erased then '{}' else c.attributes end,
      legs = c.legs || excluded.legs, why = case when c.erased or excluded.erased then '[]' else c.why || excluded.why end,
      erased = c.erased or excluded.erased
      where excluded.stage > c.stage`,
};

/** In one statement at most, and waiting at most; two statements at once, so that one slow disk write does not hold up the next records. */
const LIMITS = { maxBatch: 200, maxWaiting: 20_000, parallel: 2 } as const;

/**
 * Inserts or updates by id; idempotent. Records that are saved at the same moment are one statement: one commit and one trigger for all
 * of them. A trigger keeps the live legs in step.
 */
export function recordWriter(pool: pg.Pool): (record: CallRecord) => Promise<void> {
  const write = async (records: readonly CallRecord[]) => {
    const rows = storableJson(lastStates(records));
    await retrying(() => pool.query({ ...SAVE, values: [rows] }));
    return records.map(() => true as const);
  };
  const coalescer = new Coalescer<CallRecord, true>(write, { ...LIMITS, retrySingly: isFaultOfOneItem });
  return async (record) => {
    await coalescer.add(record);
  };
}

/** Records of calls that the dialplan served by itself, after those of routers are written; idempotent. */
export async function saveServedCalls(pool: pg.Pool, records: readonly CallRecord[]): Promise<void> {
  const rows = new Map(records.map((record) => [record.id, { ...rowOf(record), stage: SERVED_STAGE }]));
  await retrying(() => pool.query({ ...SAVE_SERVED, values: [storableJson([...rows.values()])] }));
}

type Row = ReturnType<typeof rowOf>;

/** A statement can't write a row twice: of two states of a call it is the later one, as if they had come one after the other. */
function lastStates(records: readonly CallRecord[]): readonly Row[] {
  const rows = new Map<string, Row>();
  for (const row of records.map(rowOf)) {
    const other = rows.get(row.id);
    if (other === undefined || row.stage >= other.stage) rows.set(row.id, row);
  }
  return [...rows.values()];
}

function rowOf(record: CallRecord) {
  const { id, pod, caller, attribution, attributes, bridge, legs, why } = record;
  return {
    id,
    stage: stageOf(record),
    pod,
    did: toDid(record.did),
    pool_key: record.pool,
    caller,
    received_at: record.receivedAt,
    answered_at: record.answeredAt,
    bridged_at: record.bridgedAt,
    ended_at: record.endedAt,
    ending: record.end,
    hangup_cause: record.hangupCause,
    attribution,
    prospect_id: record.prospect,
    media_element: record.mediaElement,
    attributes,
    rule_key: record.rule,
    answered_by: record.answeredBy,
    bridge,
    legs,
    why,
  };
}
