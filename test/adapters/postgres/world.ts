import { randomUUID } from "node:crypto";

import { afterEach, beforeEach } from "vitest";

import { createStores, type Stores } from "../../../src/adapters/postgres/stores.ts";
import type { NumberPoolAssignment, NumberPoolSpec } from "../../../src/domain/api.generated.ts";
import type { DesiredState, Logger } from "../../../src/domain/ports.ts";
import type { CallRecord, ClaimRequest, ClaimResult, E164, LegRecord, Uuid } from "../../../src/domain/types.ts";
import { anAssignment, aPoolSpec } from "../../domain/builders.ts";
import { meet } from "../../harness/meet.ts";
import { silent } from "../../harness/logger.ts";
import { freshDatabase, type TestDatabase } from "../../harness/postgres.ts";

export const SALES = "shop/sales";
export const CALLER = "+4930123456" as E164;

const FIRST = 12_020_000_000;

/** Number n of the world. */
export function did(n: number): E164 {
  return `+${FIRST + n}` as E164;
}

export type DesiredPool = DesiredState["pools"][number];
export type Assigned = Extract<ClaimResult, { readonly status: "assigned" }>;

export interface PoolOptions extends Partial<NumberPoolAssignment> {
  readonly key?: string;
  readonly uid?: string;
  readonly createdAt?: Date;
  readonly labels?: Readonly<Record<string, string>>;
  readonly reclaimPolicy?: NumberPoolSpec["reclaimPolicy"];
  /** First and last of each block. */
  readonly owned?: readonly (readonly [number, number])[];
}

/** Numbers 0 to 9, half an hour of lease, a quarter of an hour of cool-down. */
export function aDesiredPool(options: PoolOptions = {}): DesiredPool {
  const { key = SALES, uid = `uid of ${key}`, createdAt = new Date(0), labels = {}, reclaimPolicy = "Retain", owned = [[0, 9]], ...assignment } = options;
  return {
    key,
    uid,
    createdAt,
    labels,
    generation: 1,
    spec: aPoolSpec({ assignment: { ...anAssignment({ attributionWindowSeconds: 86_400 }), ...assignment }, reclaimPolicy }),
    owned: owned.map(([from, to]) => ({ from: did(from), to: did(to) })),
  };
}

export const overflowAt = (n: number): Partial<PoolOptions> => ({ onExhausted: { type: "Overflow", overflow: { number: did(n) } } });

export function aRequest(prospect: Uuid, rest: Partial<ClaimRequest> = {}): ClaimRequest {
  return { pool: SALES, prospect, device: randomUUID(), mediaElement: "hero", attributes: {}, ...rest };
}

export function aLeg(channel: string, rest: Partial<LegRecord> = {}): LegRecord {
  const startedAt = new Date("2026-06-01T12:00:01Z");
  return { channel, destination: "+12025550141", trunk: "shop/carrier", startedAt, answeredAt: null, endedAt: null, result: "not-tried", hangupCause: null, ...rest };
}

/** A call that came in now and rings. */
export function aCall(rest: Partial<CallRecord> = {}): CallRecord {
  return {
    id: randomUUID(), pod: "pod-0", did: did(0), pool: SALES, caller: CALLER, receivedAt: new Date(), answeredAt: null, bridgedAt: null, endedAt: null,
    end: null, hangupCause: null, attribution: "none", prospect: null, mediaElement: null, attributes: {}, rule: null, answeredBy: null, bridge: null,
    legs: [], why: [], ...rest,
  };
}

export interface World {
  readonly database: TestDatabase;
  readonly stores: Stores;
  apply(...pools: readonly DesiredPool[]): ReturnType<Stores["operator"]["apply"]>;
  /** Deletes what removed pools left behind. */
  cleanUp(): Promise<void>;
  claim(...requests: readonly ClaimRequest[]): Promise<readonly ClaimResult[]>;
  /** Fails unless a number is assigned. */
  assigned(request: ClaimRequest): Promise<Assigned>;
  /** A new prospect with one device. */
  visitor(): Promise<{ readonly prospect: Uuid; readonly device: Uuid }>;
  /** Devices of a prospect that are online now. */
  online(prospect: Uuid): Promise<readonly Uuid[]>;
  /** Lets time pass: everything stored moves into the past. */
  pass(seconds: number): Promise<void>;
  rows<T>(sql: string, values?: readonly unknown[]): Promise<readonly T[]>;
}

/** A world with a database of its own for each test. */
export function eachWithWorld(logger: Logger = silent): World {
  let opened: { readonly database: TestDatabase; readonly stores: Stores } | undefined;
  const world = () => {
    if (opened === undefined) throw new Error("there is a world only within a test");
    return opened;
  };
  beforeEach(async () => {
    const database = await freshDatabase();
    opened = { database, stores: createStores(database.pool, database.url, logger) };
  });
  afterEach(() => opened?.database.drop());
  return {
    get database() {
      return world().database;
    },
    get stores() {
      return world().stores;
    },
    apply: (...pools) => world().stores.operator.apply(desired({ pools })),
    cleanUp: () => world().stores.operator.cleanUp(new AbortController().signal),
    claim: (...requests) => world().stores.claims.claim(requests),
    assigned: async (request) => assignedOf(await world().stores.claims.claim([request])),
    visitor: async () => {
      const [prospect, device] = [randomUUID(), randomUUID()];
      await meet(world().database.pool, [{ prospect, device }]);
      return { prospect, device };
    },
    online: async (prospect) => {
      const { rows } = await world().database.pool.query<{ id: Uuid }>("select id from device where prospect_id = $1 and online_until > clock_timestamp() order by id", [prospect]);
      return rows.map(({ id }) => id);
    },
    pass: (seconds) => pass(world().database, seconds),
    rows: async <T>(sql: string, values: readonly unknown[] = []) => (await world().database.pool.query(sql, [...values])).rows as T[],
  };
}

export function desired(of: Partial<DesiredState> = {}): DesiredState {
  return { pools: [], rules: [], trunks: [], dialplan: () => ({ hash: "hash", marker: "marker", content: "content" }), ...of };
}

export function assignedOf(results: readonly ClaimResult[]): Assigned {
  const [result] = results;
  if (result?.status !== "assigned") throw new Error(`expected a number, got ${JSON.stringify(result)}`);
  return result;
}

export function didsOf(results: readonly ClaimResult[]): readonly (E164 | null)[] {
  return results.map((result) => (result.status === "unchanged" ? null : result.did));
}

async function pass({ pool }: TestDatabase, seconds: number): Promise<void> {
  const back = (columns: readonly string[]) => columns.map((column) => `${column} = ${column} - make_interval(secs => $1::double precision)`).join(", ");
  await pool.query(`update number set ${back(["leased_from", "leased_until", "free_at", "promised_until", "previous_leased_until"])}`, [seconds]);
  await pool.query(`update association set ${back(["leased_from", "determined_at", "shown_at"])}`, [seconds]);
  await pool.query(`update device set ${back(["created_at", "online_until"])}`, [seconds]);
  await pool.query(`update prospect set ${back(["created_at"])}`, [seconds]);
  await pool.query(`update call set ${back(["received_at"])}`, [seconds]);
  await pool.query(`update erasure set ${back(["erased_at"])}`, [seconds]);
  await pool.query(`update pod set ${back(["seen_at"])}`, [seconds]);
}
