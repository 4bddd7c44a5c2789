import { NOTHING_KNOWN } from "../../domain/attribution.ts";
import type { Declared, PoolEntry } from "../../domain/ports.ts";
import { parseRange, toNumber } from "../../domain/ranges.ts";
import type { ResourceKey } from "../../domain/types.ts";
import { compileWorld, type World } from "../../domain/world.ts";
import type { RuleVerdict, TrunkVerdict, Verdict } from "../../domain/world/verdicts.ts";
import { RoutingIndex } from "../../domain/routing-table.ts";
import type { Ground } from "./ground.ts";

/** What the operator would make of what is declared. Nobody is known: there is no database. */
export function declaredGround(declared: Declared): Ground {
  const world = compileWorld(declared);
  const { pools, rules, trunks } = world.desired;
  const { table } = new RoutingIndex({ revision: 0, mark: "", pools, rules, trunks });
  return {
    table,
    poolOf: (did) => {
      const number = toNumber(did);
      const owner = pools.find(({ owned }) => owned.map((range) => parseRange(range)).some(({ first, last }) => first <= number && number <= last));
      return Promise.resolve(owner?.key ?? null);
    },
    known: ({ did, pool }) => Promise.resolve({ ...NOTHING_KNOWN, attribution: overflowOf(table.pools.get(pool)) === did ? "overflow" : "none" }),
    turns: () => Promise.resolve({}),
    shownTo: () => Promise.resolve(null),
    notInForce: (pool) => [...declared.problems.map(({ file, field, message }) => [file, field, message].filter((part) => part !== null).join(": ")), ...notInForce(world, pool)],
    close: () => Promise.resolve(),
  };
}

function overflowOf(pool: PoolEntry | undefined): string | null {
  const { type, overflow } = pool?.spec.assignment.onExhausted ?? {};
  return type === "Overflow" ? (overflow?.number ?? null) : null;
}

function notInForce({ verdicts }: World, pool: ResourceKey): readonly string[] {
  const attached = [...verdicts.rules].filter(([, verdict]) => concerns(verdict, pool));
  return [
    ...attached.flatMap(([key, verdict]) => faults(`RoutingRule ${key}`, verdict)),
    ...[...verdicts.trunks].flatMap(([key, verdict]) => [...faults(`SipTrunk ${key}`, verdict), ...secretFaults(`SipTrunk ${key}`, verdict)]),
    ...[...verdicts.pools].filter(([key, verdict]) => key === pool || !verdict.inService).flatMap(([key, verdict]) => faults(`NumberPool ${key}`, verdict)),
  ];
}

function concerns(verdict: RuleVerdict, pool: ResourceKey): boolean {
  return verdict.pools.some(({ key }) => key === pool) || verdict.pools.length === 0;
}

function faults(object: string, { problems, missing, unusable }: Verdict): string[] {
  return [...problems, ...missing.map((what) => `${what} is missing`), ...unusable.map((what) => `${what} can't be used`)].map((fault) => `${object}: ${fault}`);
}

function secretFaults(object: string, { secret }: TrunkVerdict): string[] {
  return secret === null ? [] : [`${object}: ${secret.message}`];
}
