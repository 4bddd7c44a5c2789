import type pg from "pg";
import type { CallRecord } from "../../domain/types.ts";
import { toDid } from "./did.ts";
import { retrying } from "./retry.ts";

/** A later stage is never undone by a replay of an earlier one. */
function stageOf(record: CallRecord): number {
  if (record.endedAt !== null) return 3;
  if (record.bridgedAt !== null) return 2;
  return record.answeredAt !== null ? 1 : 0;
}

const SAVE = {
  name: "save-call",
  text: `with saved as (
      insert into call as c (
        id, stage, pod, did, pool_key, caller, received_at, answered_at, bridged_at, ended_at, ending, hangup_cause,
        attribution, prospect_id, media_element, attributes, rule_key, answered_by, bridge, legs, why
      )
      values (
        $1::text, $2::smallint, $3::text, $4::bigint, $5::text, $6::text, $7::timestamptz, $8::timestamptz, $9::timestamptz, $10::timestamptz,
        $11::text, $12::smallint, $13::text, $14::uuid, $15::text, $16::jsonb, $17::text, $18::text, $19::text, $20::jsonb, $21::jsonb
      )
      on conflict (id) do update set
        stage = excluded.stage, answered_at = excluded.answered_at, bridged_at = excluded.bridged_at, ended_at = excluded.ended_at,
        ending = excluded.ending, hangup_cause = excluded.hangup_cause, attribution = excluded.attribution, prospect_id = excluded.prospect_id,
        media_element = excluded.media_element, attributes = excluded.attributes, rule_key = excluded.rule_key,
        answered_by = excluded.answered_by, bridge = excluded.bridge, legs = excluded.legs, why = excluded.why
        where excluded.stage >= c.stage
      returning id, ended_at
    ),
    living as (
      select l ->> 'channel' as channel, l ->> 'destination' as destination
      from jsonb_array_elements($20::jsonb) l, saved
      where saved.ended_at is null and l ->> 'endedAt' is null
    ),
    gone as (
      delete from live_leg l using saved
      where l.call_id = saved.id and l.channel not in (select channel from living)
    )
    insert into live_leg (channel, call_id, destination)
    select channel, saved.id, destination from living, saved
    on conflict (channel) do nothing`,
};

/** Inserts or updates by id, in one statement; idempotent. */
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
    record.caller,
    record.receivedAt,
    record.answeredAt,
    record.bridgedAt,
    record.endedAt,
    record.end,
    record.hangupCause,
    record.attribution,
    record.prospect,
    record.mediaElement,
    JSON.stringify(record.attributes),
    record.rule,
    record.answeredBy,
    record.bridge,
    JSON.stringify(record.legs),
    JSON.stringify(record.why),
  ];
}
