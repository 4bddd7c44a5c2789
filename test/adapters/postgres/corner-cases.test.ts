import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createStores, type Stores } from "../../../src/adapters/postgres/stores.ts";
import type { NumberPoolAssignment } from "../../../src/domain/api.generated.ts";
import type { DesiredState } from "../../../src/domain/ports.ts";
import type { CallRecord, ClaimRequest, ClaimResult, E164, LegRecord, Uuid } from "../../../src/domain/types.ts";
import { createLogger } from "../../../src/shared/logger.ts";
import { freshDatabase, type TestDatabase } from "../../harness/postgres.ts";

const FIRST = 12_020_000_000;
const SALES = "shop/sales";

let database: TestDatabase;
let stores: Stores;

beforeEach(async () => {
  database = await freshDatabase();
  stores = createStores(database.pool, database.url, createLogger("silent"));
});
afterEach(() => database.drop());

const e164 = (offset: number) => `+${FIRST + offset}` as E164;

interface PoolOptions extends Partial<NumberPoolAssignment> {
  readonly key?: string;
  /** Offsets of first and last number. */
  readonly owned?: readonly (readonly [number, number])[];
}

function aPool({ key = SALES, owned = [[0, 9]], ...assignment }: PoolOptions = {}): DesiredState["pools"][number] {
  return {
    key,
    uid: key,
    createdAt: new Date(0),
    labels: {},
    generation: 1,
    spec: {
      trunkRef: { name: "carrier" },
      assignment: { leaseSeconds: 60, cooldownSeconds: 60, attributionWindowSeconds: 3600, onExhausted: { type: "LeavePage" }, ...assignment },
      defaultDestination: { number: "+12025550199" },
      display: { format: "National" },
      consent: "NotRequired",
      reclaimPolicy: "Retain",
    },
    owned: owned.map(([from, to]) => ({ from: e164(from), to: e164(to) })),
  };
}

function apply(...pools: DesiredState["pools"]) {
  return stores.operator.apply({ pools, rules: [], trunks: [], dialplan: () => ({ hash: "h", marker: "m", content: "" }) });
}

function aRequest(prospect: Uuid, rest: Partial<ClaimRequest> = {}): ClaimRequest {
  return { pool: SALES, prospect, device: randomUUID(), mediaElement: "hero", attributes: {}, ...rest };
}

async function claimed(request: ClaimRequest): Promise<Extract<ClaimResult, { status: "assigned" }>> {
  const [result] = await stores.claims.claim([request]);
  if (result?.status !== "assigned") throw new Error(`expected a number, got ${JSON.stringify(result)}`);
  return result;
}

async function aPerson(subject: string) {
  const [prospect, device] = [randomUUID(), randomUUID()];
  await stores.prospects.touch([{ prospect, device }]);
  const identified = await stores.prospects.identify({ site: "shop", subject, prospect, device });
  return { given: prospect, device, prospect: identified.prospect, merged: identified.merged };
}

describe("numbers that come back or change pools", () => {
  it("lets two pools merge into one although somebody holds a number of each", async () => {
    await apply(aPool({ key: "shop/a", owned: [[0, 1]] }), aPool({ key: "shop/b", owned: [[10, 11]] }));
    const prospect = randomUUID();
    const older = await claimed(aRequest(prospect, { pool: "shop/a" }));
    await claimed(aRequest(prospect, { pool: "shop/b" }));
    await expect(apply(aPool({ owned: [[0, 1], [10, 11]] }))).resolves.toMatchObject({ changed: true });
    expect(await claimed(aRequest(prospect))).toMatchObject({ did: older.did, renewed: true });
  });

  it("lets two retired numbers that one prospect held come back at once", async () => {
    await apply(aPool({ owned: [[0, 1]], leaseSeconds: 1 }));
    const prospect = randomUUID();
    const first = await claimed(aRequest(prospect));
    await apply(aPool({ owned: [[1, 1]], leaseSeconds: 1 }));
    await sleep(1_100);
    expect((await claimed(aRequest(prospect))).did).not.toBe(first.did);
    await apply(aPool({ owned: [[5, 5]], leaseSeconds: 1 }));
    await expect(apply(aPool({ owned: [[0, 1]], leaseSeconds: 1 }))).resolves.toMatchObject({ changed: true });
  });

  it("refuses a number that two pools own and changes nothing", async () => {
    await apply(aPool({ owned: [[0, 5]] }));
    const both = apply(aPool({ owned: [[0, 5]] }), aPool({ key: "shop/b", owned: [[3, 8]] }));
    await expect(both).rejects.toMatchObject({ code: "Conflict", message: expect.stringContaining(e164(3)) as string });
    expect(await stores.operator.totals()).toEqual({ [SALES]: expect.objectContaining({ total: 6 }) as object });
  });
});

describe("prospects that were merged", () => {
  it("gives the same number to whoever still asks with the old id", async () => {
    await apply(aPool());
    const [one, two] = [await aPerson("anna"), await aPerson("anna")];
    expect(two).toMatchObject({ merged: true, prospect: one.prospect });
    const results = await stores.claims.claim([aRequest(one.given), aRequest(two.given)]);
    expect(new Set(results.map((result) => result.status === "assigned" && result.did)).size).toBe(1);
  });

  it("does not join another person by the old id", async () => {
    const [, two] = [await aPerson("anna"), await aPerson("anna")];
    const other = await stores.prospects.identify({ site: "shop", subject: "bert", prospect: two.given, device: two.device });
    expect(other).toMatchObject({ merged: false });
    expect(other.prospect).not.toBe(two.prospect);
  });

  it("leaves one current number when both claim while they are merged", async () => {
    await apply(aPool({ owned: [[0, 99]] }));
    for (let round = 0; round < 20; round += 1) {
      const one = await aPerson(`person ${round}`);
      const [prospect, device] = [randomUUID(), randomUUID()];
      await stores.prospects.touch([{ prospect, device }]);
      await Promise.all([
        stores.claims.claim([aRequest(one.prospect)]),
        stores.prospects.identify({ site: "shop", subject: `person ${round}`, prospect, device }),
        stores.claims.claim([aRequest(prospect)]),
      ]);
      const { rows } = await database.pool.query<{ held: number }>(
        "select count(*)::int as held from number where prospect_id = any ($1::uuid[]) and not superseded",
        [[one.prospect, prospect]],
      );
      expect(rows[0]?.held).toBe(1);
    }
  });

  it("frees what the merged prospect asks to release by the old id", async () => {
    await apply(aPool());
    const [, two] = [await aPerson("anna"), await aPerson("anna")];
    await claimed(aRequest(two.prospect));
    await stores.claims.release([SALES], two.given);
    expect((await stores.operator.totals())[SALES]).toMatchObject({ leased: 0, coolingDown: 1 });
  });
});

describe("what a prospect was shown", () => {
  it("has the media element first that was shown last, even if it was shown before", async () => {
    await apply(aPool());
    const [prospect, device] = [randomUUID(), randomUUID()];
    let did = e164(0);
    for (const mediaElement of ["hero", "pricing", "hero"]) did = (await claimed(aRequest(prospect, { device, mediaElement }))).did;
    const context = await stores.router.callContext({ did, pool: SALES, caller: null, at: new Date() });
    expect(context).toMatchObject({ attribution: "exclusive", prospect, mediaElements: ["hero", "pricing"] });
  });
});

describe("presence", () => {
  it("keeps the number of a prospect whose device stays online", async () => {
    await apply(aPool({ owned: [[0, 0]], leaseSeconds: 1, cooldownSeconds: 0 }));
    const [prospect, device] = [randomUUID(), randomUUID()];
    await stores.prospects.touch([{ prospect, device }]);
    await claimed(aRequest(prospect, { device }));
    for (let beat = 0; beat < 5; beat += 1) {
      await sleep(300);
      await stores.presence.heartbeat([device], 5);
    }
    expect(await stores.claims.claim([aRequest(randomUUID())])).toMatchObject([{ status: "unchanged", reason: "Exhausted" }]);
  });

  it("does not bring back a lease that had ended", async () => {
    await apply(aPool({ owned: [[0, 0]], leaseSeconds: 0.3, cooldownSeconds: 0 }));
    const [prospect, device] = [randomUUID(), randomUUID()];
    await stores.prospects.touch([{ prospect, device }]);
    await claimed(aRequest(prospect, { device }));
    await sleep(400);
    await stores.presence.heartbeat([device], 5);
    await expect(claimed(aRequest(randomUUID()))).resolves.toMatchObject({ did: e164(0), renewed: false });
  });
});

describe("replayed call records", () => {
  const aLeg = (channel: string, endedAt: Date | null = null): LegRecord => ({
    channel, destination: "+12025550199", trunk: "shop/carrier", startedAt: new Date(), answeredAt: null, endedAt, result: "no-answer", hangupCause: null,
  });
  const aCall = (rest: Partial<CallRecord> = {}): CallRecord => ({
    id: "call-1", pod: "pod-0", did: e164(0), pool: SALES, caller: "+4930123456", receivedAt: new Date(), answeredAt: null, bridgedAt: null, endedAt: null,
    end: null, hangupCause: null, attribution: "exclusive", prospect: null, mediaElement: "hero", attributes: {}, rule: null, answeredBy: null, bridge: null,
    legs: [], why: [], ...rest,
  });
  const stored = async () => (await database.pool.query<{ caller: string | null; prospect_id: string | null; ending: string | null; legs: LegRecord[] }>("select * from call")).rows;

  it("keep the newer legs of a call that is in the same state", async () => {
    await stores.router.saveCall(aCall({ legs: [aLeg("a", new Date()), aLeg("b")] }));
    await stores.router.saveCall(aCall({ legs: [aLeg("a")] }));
    expect(await stored()).toMatchObject([{ legs: [{ channel: "a", endedAt: expect.any(String) as string }, { channel: "b" }] }]);
  });

  it("do not undo the end of a call", async () => {
    await stores.router.saveCall(aCall({ endedAt: new Date(), end: "completed" }));
    await stores.router.saveCall(aCall({ answeredAt: new Date(), legs: [aLeg("a"), aLeg("b")] }));
    expect(await stored()).toMatchObject([{ ending: "completed", legs: [] }]);
  });

  it("do not bring back the identity of an erased prospect", async () => {
    const [prospect, device] = [randomUUID(), randomUUID()];
    await stores.prospects.touch([{ prospect, device }]);
    await stores.router.saveCall(aCall({ prospect }));
    await stores.prospects.erase(prospect);
    await stores.router.saveCall(aCall({ prospect, endedAt: new Date(), end: "completed" }));
    expect(await stored()).toMatchObject([{ caller: null, prospect_id: null, ending: "completed" }]);
  });
});

describe("a lost connection", () => {
  it("is made up for by another try", async () => {
    await apply(aPool());
    await database.pool.query("select 1");
    const asked = stores.claims.claim([aRequest(randomUUID())]);
    await database.pool.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
    await expect(asked).resolves.toMatchObject([{ status: "assigned" }]);
  });
});
