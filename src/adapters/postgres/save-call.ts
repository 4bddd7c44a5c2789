import type pg from "pg";
import { AFTERWARDS } from "../../domain/call/recognise.ts";
import type { CallRecord } from "../../domain/types.ts";
import { toDid } from "./did.ts";
import { storableJson, storableText } from "./text.ts";
import { retrying } from "./retry.ts";

const LEG_STEPS = 999;
/** The last phase: `endedAt` is set. */
const ENDED = 3;

/** Grows with everything that happens to a call and its legs: a later state is never undone by a replay of an earlier one. */
function stageOf(record: CallRecord): number {
  const phase = [record.answeredAt, record.bridgedAt, record.endedAt].findLastIndex((at) => at !== null) + 1;
  const steps = record.legs.reduce((sum, leg) => sum + 1 + Number(leg.answeredAt !== null) + Number(leg.endedAt !== null), 0);
  const stage = phase * (LEG_STEPS + 1) + Math.min(steps, LEG_STEPS);
  // An end that was concluded afterwards is later than everything but an end that was seen.
  const concluded = record.endedAt !== null && record.why.some(({ reason }) => (AFTERWARDS as readonly string[]).includes(reason));
  return concluded ? ENDED * (LEG_STEPS + 1) - 1 : stage;
}

const SAVE = {
  name: "save-call",
  text: `insert into call as c (
      id, stage, pod, did, pool_key, caller, received_at, answered_at, bridged_at, ended_at, ending, hangup_cause,
      attribution, prospect_id, media_element, attributes, rule_key, answered_by, bridge, legs, why
    )
    values (
      $1::text, $2::int, $3::text, $4::bigint, $5::text, $6::text, $7::timestamptz, $8::timestamptz, $9::timestamptz, $10::timestamptz,
      $11::text, $12::smallint, $13::text, coalesce((select merged_into from prospect where id = $14::uuid), $14::uuid), $15::text, $16::jsonb, $17::text, $18::text, $19::text, $20::jsonb, $21::jsonb
    )
    on conflict (id) do update set
      stage = excluded.stage, answered_at = excluded.answered_at, bridged_at = excluded.bridged_at, ended_at = excluded.ended_at,
      ending = excluded.ending, hangup_cause = excluded.hangup_cause, attribution = excluded.attribution,
      prospect_id = case when c.erased then null else excluded.prospect_id end,
      media_element = case when c.erased then null else excluded.media_element end,
      attributes = case when c.erased then '{}' else excluded.attributes end,
      why = case when c.erased then '[]' else excluded.why end,
      rule_key = excluded.rule_key, answered_by = excluded.answered_by, bridge = excluded.bridge, legs = excluded.legs
      where excluded.stage >= c.stage`,
};

/** Inserts or updates by id, in one statement; idempotent. A trigger keeps the live legs in step. */
export async function saveCall(pool: pg.Pool, record: CallRecord): Promise<void> {
  await retrying(() => pool.query({ ...SAVE, values: valuesOf(record) }));
}

function valuesOf(record: CallRecord): unknown[] {
  return [
    record.id,
    stageOf(record),
    record.pod,
    toDid(record.did),
    record.pool,
    storableText(record.caller),
    record.receivedAt,
    record.answeredAt,
    record.bridgedAt,
    record.endedAt,
    record.end,
    record.hangupCause,
    record.attribution,
    record.prospect,
    storableText(record.mediaElement),
    storableJson(record.attributes),
    record.rule,
    storableText(record.answeredBy),
    record.bridge,
    storableJson(record.legs),
    storableJson(record.why),
  ];
}
