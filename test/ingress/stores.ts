import { batchedClaims } from "../../src/adapters/postgres/batched-claims.ts";
import { readAssociations, type Association } from "../../src/adapters/postgres/read-associations.ts";
import { createStores } from "../../src/adapters/postgres/stores.ts";
import { parseE164 } from "../../src/domain/e164.ts";
import type { NumberClaims, PoolEntry, Presence, Prospects, PushBus, Records } from "../../src/domain/ports.ts";
import { createTokenSigner, type SigningKey } from "../../src/domain/puid.ts";
import type { CallRecord } from "../../src/domain/types.ts";
import { silent } from "../harness/logger.ts";
import { freshDatabase } from "../harness/postgres.ts";

export const tokenKeys: readonly [SigningKey, ...SigningKey[]] = [{ id: 1, secret: "the-key-of-the-tests-has-32-characters-or-more" }];

export interface Stores {
  readonly url: string;
  readonly ports: { readonly claims: NumberClaims; readonly prospects: Prospects; readonly presence: Presence; readonly pushes: PushBus; readonly records: Records };
  /** As a router writes it. */
  saveCall(record: CallRecord): Promise<void>;
  apply(pools: ReadonlyMap<string, PoolEntry>): Promise<void>;
  associations(did: string): Promise<readonly Association[]>;
  /** What a request that is refused must leave as it was. */
  counts(): Promise<{ readonly leased: number; readonly associations: number; readonly prospects: number; readonly devices: number }>;
  /** Moves prospects and devices into the past. */
  age(seconds: number): Promise<void>;
  /** Devices online now. */
  online(): Promise<number>;
  /** Connections that others have: programs of ours, and what listens for them. */
  connections(): Promise<number>;
  /** The device's id inside a token. */
  idOf(deviceToken: string): string;
  close(): Promise<void>;
}

export async function startStores(): Promise<Stores> {
  const database = await freshDatabase();
  const stores = createStores(database.pool, database.url, silent);
  const numbersOf = (sql: string) => database.pool.query<Record<string, number>>(sql).then(({ rows }) => rows[0] ?? {});
  return {
    url: database.url,
    ports: { ...stores, claims: batchedClaims(stores.claims, { maxBatch: 200, parallel: 2, maxWaiting: 1000 }) },
    saveCall: (record) => stores.router.saveCall(record),
    apply: async (pools) => {
      const desired = [...pools.values()].map((pool) => ({ ...pool, generation: 1, owned: ownedBy(pool) }));
      await stores.operator.apply({ pools: desired, rules: [], trunks: [], dialplan: () => ({ hash: "none", marker: "none", content: "" }) });
    },
    associations: async (did) => {
      const number = parseE164(did);
      if (number === null) throw new Error(`not a number: ${did}`);
      return readAssociations(database.pool, number, 100);
    },
    counts: async () => {
      const row = await numbersOf(`select
        (select count(*)::int from number where leased_until > clock_timestamp()) as leased,
        (select count(*)::int from association) as associations,
        (select count(*)::int from prospect) as prospects,
        (select count(*)::int from device) as devices`);
      return { leased: row["leased"] ?? -1, associations: row["associations"] ?? -1, prospects: row["prospects"] ?? -1, devices: row["devices"] ?? -1 };
    },
    age: async (seconds) => {
      await database.pool.query("update prospect set created_at = created_at - make_interval(secs => $1::double precision)", [seconds]);
      await database.pool.query("update device set created_at = created_at - make_interval(secs => $1::double precision)", [seconds]);
    },
    online: async () => (await numbersOf("select count(*)::int as online from device where online_until > clock_timestamp()"))["online"] ?? -1,
    connections: async () => (await numbersOf("select count(*)::int as others from pg_stat_activity where datname = current_database() and application_name like 'dialplane%'"))["others"] ?? -1,
    idOf: (token) => createTokenSigner(tokenKeys).verify("device", token) ?? "none",
    close: () => database.drop(),
  };
}

function ownedBy(pool: PoolEntry) {
  const ranges = [...(pool.spec.numbers ?? []).map((number) => ({ from: number, to: number })), ...(pool.spec.ranges ?? [])];
  return ranges.map(({ from, to }) => {
    const [first, last] = [parseE164(from), parseE164(to)];
    if (first === null || last === null) throw new Error(`not a range: ${from} to ${to}`);
    return { from: first, to: last };
  });
}
