import type { ResourceKey } from "../types.ts";
import { lackOf, lacksOf, NO_LACKS } from "./objects.ts";
import type { JudgedTrunks } from "./trunks.ts";
import type { Lacks, PoolVerdict } from "./verdicts.ts";

/** Trunks that pools and rules name. */

/** Keys of the trunks that an object wants. */
export function trunkKeys(names: readonly (string | undefined)[], namespace: string): readonly ResourceKey[] {
  return [...new Set(names.filter((name) => name !== undefined).map((name) => `${namespace}/${name}`))];
}

/** What decides about each of them, for comparing: the entry of a usable one, else why it can't be used. */
export function trunkStates(keys: readonly ResourceKey[], trunks: JudgedTrunks): readonly unknown[] {
  return keys.map((key) => trunks.usable.get(key) ?? lackOf(key, trunks));
}

const NO_TRUNKS = { trunks: [], ...NO_LACKS } as const;

/** The trunks that are wanted, and those of them that can't be used. */
export function namedTrunks(keys: readonly ResourceKey[], trunks: JudgedTrunks): Pick<PoolVerdict, "trunks" | keyof Lacks> {
  if (keys.length === 0) return NO_TRUNKS;
  return {
    trunks: keys.filter((key) => trunks.usable.has(key)).flatMap((key) => trunks.verdicts.get(key)?.presence ?? []),
    ...lacksOf("SipTrunk", keys.filter((key) => !trunks.usable.has(key)), trunks),
  };
}
