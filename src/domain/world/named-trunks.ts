import type { ResourceKey } from "../types.ts";
import type { JudgedTrunks } from "./trunks.ts";
import type { PoolVerdict } from "./verdicts.ts";

/** Trunks that pools and rules name. */

/** Keys of the trunks that an object wants. */
export function trunkKeys(names: readonly (string | undefined)[], namespace: string): readonly ResourceKey[] {
  return [...new Set(names.filter((name) => name !== undefined).map((name) => `${namespace}/${name}`))];
}

/** What decides about each of them, for comparing: the entry of a usable one, else whether it is declared. */
export function trunkStates(keys: readonly ResourceKey[], trunks: JudgedTrunks): readonly unknown[] {
  return keys.map((key) => trunks.usable.get(key) ?? trunks.declared.has(key));
}

const NO_TRUNKS = { trunks: [], missing: [], unusable: [] } as const;

/** The trunks that are wanted, and those of them that can't be used. */
export function namedTrunks(keys: readonly ResourceKey[], trunks: JudgedTrunks): Pick<PoolVerdict, "trunks" | "missing" | "unusable"> {
  if (keys.length === 0) return NO_TRUNKS;
  const lacking = keys.filter((key) => !trunks.usable.has(key));
  const [unusable, missing] = [lacking.filter((key) => trunks.declared.has(key)), lacking.filter((key) => !trunks.declared.has(key))];
  return {
    trunks: keys.filter((key) => trunks.usable.has(key)).flatMap((key) => trunks.verdicts.get(key)?.presence ?? []),
    missing: missing.map((key) => `SipTrunk ${key}`),
    unusable: unusable.map((key) => `SipTrunk ${key}`),
  };
}
