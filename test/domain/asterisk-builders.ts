import type { NumberPoolSpec, SipTrunkSpec } from "../../src/domain/api.generated.ts";
import type { DialplanPool } from "../../src/domain/dialplan.ts";
import { aPoolSpec, aTrunkSpec } from "./builders.ts";

/** What is rendered for Asterisk: an object's key and spec, and a pool's numbers. */

/** At an address, so that Asterisk asks no name server. */
export function anAsteriskTrunk(key = "acme/carrier", spec: Partial<SipTrunkSpec> = {}): { key: string; spec: SipTrunkSpec } {
  return { key, spec: aTrunkSpec({ host: "192.0.2.10", ...spec }) };
}

export function aDialplanPool(key: string, owned: readonly (string | readonly [string, string])[], spec: Partial<NumberPoolSpec> = {}): DialplanPool {
  return {
    key,
    owned: owned.map((range) => (typeof range === "string" ? { from: range, to: range } : { from: range[0], to: range[1] })),
    spec: aPoolSpec(spec),
  };
}

/** `count` different numbers, spread over ten million. */
export function scatteredNumbers(count: number, prefix = "+1303"): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${String((i * 7_919 + 13) % 10_000_000).padStart(7, "0")}`);
}
