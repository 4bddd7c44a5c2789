import type pg from "pg";
import type { CallRecord } from "../../domain/types.ts";
import { fromDid } from "./did.ts";

const COLUMNS = `id, pod, did, pool_key, caller, received_at, answered_at, bridged_at, ended_at, ending, hangup_cause,
  attribution, prospect_id, media_element, attributes, rule_key, answered_by, bridge, legs, why`;

interface Row {
  readonly id: string;
  readonly pod: string;
  readonly did: string;
  readonly pool_key: string;
  readonly caller: string | null;
  readonly received_at: Date;
  readonly answered_at: Date | null;
  readonly bridged_at: Date | null;
  readonly ended_at: Date | null;
  readonly ending: CallRecord["end"];
  readonly hangup_cause: number | null;
  readonly attribution: CallRecord["attribution"];
  readonly prospect_id: string | null;
  readonly media_element: string | null;
  readonly attributes: CallRecord["attributes"];
  readonly rule_key: string | null;
  readonly answered_by: string | null;
  readonly bridge: string | null;
  readonly legs: readonly (Omit<CallRecord["legs"][number], "startedAt" | "answeredAt" | "endedAt"> & {
    readonly startedAt: string;
    readonly answeredAt: string | null;
    readonly endedAt: string | null;
  })[];
  readonly why: CallRecord["why"];
}

/** Newest first. */
export async function readCalls(pool: pg.Pool, limit: number): Promise<readonly CallRecord[]> {
  const { rows } = await pool.query<Row>(`select ${COLUMNS} from call order by received_at desc, id limit $1::int`, [limit]);
  return rows.map(toRecord);
}

export async function readCall(pool: pg.Pool, id: string): Promise<CallRecord | null> {
  const { rows } = await pool.query<Row>(`select ${COLUMNS} from call where id = $1::text`, [id]);
  return rows[0] === undefined ? null : toRecord(rows[0]);
}

/** Oldest first. The partial index of live calls keeps it short. */
export async function readOpenCalls(pool: pg.Pool, pod: string, receivedBefore: Date): Promise<readonly CallRecord[]> {
  const { rows } = await pool.query<Row>(
    `select ${COLUMNS} from call where ended_at is null and pod = $1::text and received_at < $2::timestamptz order by received_at, id`,
    [pod, receivedBefore],
  );
  return rows.map(toRecord);
}

function toRecord(row: Row): CallRecord {
  return {
    id: row.id,
    pod: row.pod,
    did: fromDid(row.did),
    pool: row.pool_key,
    caller: row.caller,
    receivedAt: row.received_at,
    answeredAt: row.answered_at,
    bridgedAt: row.bridged_at,
    endedAt: row.ended_at,
    end: row.ending,
    hangupCause: row.hangup_cause,
    attribution: row.attribution,
    prospect: row.prospect_id,
    mediaElement: row.media_element,
    attributes: row.attributes,
    rule: row.rule_key,
    answeredBy: row.answered_by,
    bridge: row.bridge,
    legs: row.legs.map((leg) => ({ ...leg, startedAt: new Date(leg.startedAt), answeredAt: dateOrNull(leg.answeredAt), endedAt: dateOrNull(leg.endedAt) })),
    why: row.why,
  };
}

function dateOrNull(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}
