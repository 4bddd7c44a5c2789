import type pg from "pg";
import type { ClaimRequest, ClaimResult, ResourceKey, Uuid } from "../../domain/types.ts";
import { fromDid } from "./did.ts";
import { storableJson, storableText } from "./text.ts";
import { retrying } from "./retry.ts";

interface Row {
  readonly outcome: "Assigned" | "Overflow" | "Exhausted" | "UnknownPool";
  readonly prospect: Uuid;
  readonly did: string | null;
  readonly leased_until: Date | null;
  readonly renewed: boolean | null;
  readonly other_devices_online: string[];
  readonly determined_at: Date;
  /** Only where there was a choice. */
  readonly pool?: ResourceKey;
}

/** Prepared once a connection: planning would cost more than the claim. */
const STATEMENT = {
  name: "claim-numbers",
  text: `select n.outcome, n.prospect, n.did, n.leased_until, n.renewed, n.other_devices_online, n.determined_at
    from meet_visitors($2::uuid[], $3::uuid[]) as m (prospects)
    cross join lateral claim_numbers($1::text[], m.prospects, $3::uuid[], $4::text[], $5::jsonb) as n
    order by n.ord`,
};

/** The same where at least one request has a choice of pools. */
const CHOOSING = {
  name: "choose-and-claim-numbers",
  text: `select n.outcome, n.prospect, n.did, n.leased_until, n.renewed, n.other_devices_online, n.determined_at, c.pools[n.ord] as pool
    from meet_visitors($2::uuid[], $3::uuid[]) as m (prospects)
    cross join lateral choose_pools($1::text[], m.prospects, $6::jsonb) as c (pools)
    cross join lateral claim_numbers(c.pools, m.prospects, $3::uuid[], $4::text[], $5::jsonb) as n
    order by n.ord`,
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
  const choosing = requests.some((request) => request.choice !== undefined);
  const query = choosing ? { ...CHOOSING, values: [...values, choicesOf(requests)] } : { ...STATEMENT, values };
  const { rows } = await retrying(() => pool.query<Row>(query));
  return rows.map((row, index) => resultOf(row, requests[index]?.choice === undefined ? {} : lenderOf(row)));
}

function choicesOf(requests: readonly ClaimRequest[]): string {
  return storableJson(requests.map((request) => request.choice ?? null));
}

function lenderOf({ pool }: Row): { readonly lentBy?: ResourceKey } {
  return pool === undefined ? {} : { lentBy: pool };
}

function resultOf(row: Row, lender: { readonly lentBy?: ResourceKey }): ClaimResult {
  const { outcome, did, prospect } = row;
  if (did === null || outcome === "Exhausted" || outcome === "UnknownPool") {
    return { status: "unchanged", prospect, reason: outcome === "UnknownPool" ? "UnknownPool" : "Exhausted" };
  }
  if (outcome === "Overflow" || row.leased_until === null) return { status: "overflow", prospect, did: fromDid(did), ...lender };
  return {
    status: "assigned",
    prospect,
    did: fromDid(did),
    leasedUntil: row.leased_until,
    renewed: row.renewed ?? false,
    otherDevicesOnline: row.other_devices_online,
    determinedAt: row.determined_at,
    ...lender,
  };
}
