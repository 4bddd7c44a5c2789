import type pg from "pg";
import type { ClaimRequest, ClaimResult } from "../../domain/types.ts";
import { fromDid } from "./did.ts";
import { storableJson, storableText } from "./text.ts";
import { retrying } from "./retry.ts";

interface Row {
  readonly outcome: "Assigned" | "Overflow" | "Exhausted" | "UnknownPool";
  readonly did: string | null;
  readonly leased_until: Date | null;
  readonly renewed: boolean | null;
  readonly other_devices_online: string[];
  readonly determined_at: Date;
}

/** Prepared once a connection: planning would cost more than the claim. */
const STATEMENT = {
  name: "claim-numbers",
  text: `select outcome, did, leased_until, renewed, other_devices_online, determined_at
    from claim_numbers($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::jsonb)
    order by ord`,
};

/** One statement for many prospects; results in the order of the requests. Durable when it resolves. */
export async function claimNumbers(pool: pg.Pool, requests: readonly ClaimRequest[]): Promise<readonly ClaimResult[]> {
  if (requests.length === 0) return [];
  const values = [
    requests.map((request) => storableText(request.pool)),
    requests.map((request) => request.prospect),
    requests.map((request) => request.device),
    requests.map((request) => storableText(request.mediaElement)),
    storableJson(requests.map((request) => request.attributes)),
  ];
  const { rows } = await retrying(() => pool.query<Row>({ ...STATEMENT, values }));
  return rows.map(resultOf);
}

function resultOf(row: Row): ClaimResult {
  const { outcome, did } = row;
  if (did === null || outcome === "Exhausted" || outcome === "UnknownPool") {
    return { status: "unchanged", reason: outcome === "UnknownPool" ? "UnknownPool" : "Exhausted" };
  }
  if (outcome === "Overflow" || row.leased_until === null) return { status: "overflow", did: fromDid(did) };
  return {
    status: "assigned",
    did: fromDid(did),
    leasedUntil: row.leased_until,
    renewed: row.renewed ?? false,
    otherDevicesOnline: row.other_devices_online,
    determinedAt: row.determined_at,
  };
}
