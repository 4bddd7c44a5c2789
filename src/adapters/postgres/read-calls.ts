import type pg from "pg";
import type { CallCursor, CallFilter } from "../../domain/call-filter.ts";
import type { CallRecord, ResourceKey } from "../../domain/types.ts";
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

/** No call lasts longer than a day (maxCallSeconds): one that a lost pod left open is not in progress for ever. */
const LIVE = "(ended_at is null and received_at > now() - interval '1 day')";

interface Page {
  readonly limit: number;
  /** Where the page before ended. */
  readonly after?: CallCursor | null;
}

/** Newest first. */
export async function readCalls(pool: pg.Pool, filter: CallFilter, page: Page): Promise<readonly CallRecord[]> {
  const { rows } = await pool.query<Row>(callsQuery(filter, page));
  return rows.map(toRecord);
}

/**
 * Planned anew for each question: of `null or ...` only what is asked for remains, and every filter has an index that also gives the order.
 * Callers' numbers are `+` and digits: nothing of them has a meaning in a pattern.
 */
export function callsQuery(filter: CallFilter, page: Page): { readonly text: string; readonly values: unknown[] } {
  const { since, until, pool, callerPrefix, destination, attribution, outcome } = filter;
  const text = `select ${COLUMNS} from call
     where ($1::timestamptz is null or received_at >= $1::timestamptz)
       and ($2::timestamptz is null or received_at < $2::timestamptz)
       and ($3::text is null or pool_key = $3::text)
       and ($4::text is null or left(caller, 16) like $4::text || '%')
       and ($5::jsonb is null or jsonb_path_query_array(legs, '$[*].destination') @> $5::jsonb)
       and ($6::text is null or attribution = $6::text)
       and ($7::text is null or $7::text = 'live' or ending = $7::text)
       and ($7::text is distinct from 'live' or ${LIVE})
       and ($8::timestamptz is null or received_at <= $8::timestamptz)
       and ($8::timestamptz is null or received_at < $8::timestamptz or id > $9::text)
     order by received_at desc, id limit $10::int`;
  const values = [
    since ?? null,
    until ?? null,
    pool ?? null,
    callerPrefix ?? null,
    destination === undefined ? null : JSON.stringify([destination]),
    attribution ?? null,
    outcome ?? null,
    page.after?.receivedAt ?? null,
    page.after?.id ?? null,
    page.limit,
  ];
  return { text, values };
}

/** Calls in progress by pool. */
export async function countLiveCalls(pool: pg.Pool): Promise<Readonly<Record<ResourceKey, number>>> {
  const { rows } = await pool.query<{ pool_key: ResourceKey; calls: number }>(`select pool_key, count(*)::int as calls from call where ${LIVE} group by pool_key`);
  return Object.fromEntries(rows.map(({ pool_key, calls }) => [pool_key, calls]));
}

/** null when there is none, or its record was not saved yet. */
export async function readCall(pool: pg.Pool, id: string): Promise<CallRecord | null> {
  const { rows } = await pool.query<Row>(`select ${COLUMNS} from call where id = $1::text`, [id]);
  return rows[0] === undefined ? null : toRecord(rows[0]);
}

/**
 * Those of a pod, and those with an id: they go on, so that one that was closed since its pod was silent is not over. Oldest first. The
 * partial index of live calls keeps it short.
 */
export async function readOpenCalls(
  pool: pg.Pool,
  { pod, receivedBefore, ids }: { readonly pod: string | null; readonly receivedBefore: Date; readonly ids: readonly string[] },
): Promise<readonly CallRecord[]> {
  const { rows } = await pool.query<Row>(
    `select ${COLUMNS} from call
     where id in (select id from call where ended_at is null and pod = $1::text union all select unnest($3::text[]))
       and received_at < $2::timestamptz order by received_at, id`,
    [pod, receivedBefore, ids],
  );
  return rows.map(toRecord);
}

/** A pod reports every 5 s; what is down for longer is not restarted but gone, or cut off. */
const LOST_AFTER = "2 minutes";

/** Oldest first. The partial index of live calls keeps it short. */
export async function readLostCalls(pool: pg.Pool): Promise<readonly CallRecord[]> {
  const { rows } = await pool.query<Row>(
    `select ${COLUMNS} from call c
     where c.ended_at is null and c.received_at < now() - $1::interval
       and not exists (select from pod p where p.pod = c.pod and p.seen_at > now() - $1::interval)
     order by c.received_at, c.id limit 500`,
    [LOST_AFTER],
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
