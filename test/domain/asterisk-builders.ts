import type { NumberPoolSpec, SipTrunkSpec } from "../../src/domain/api.generated.ts";
import type { DialplanPool } from "../../src/domain/dialplan.ts";

export function aTrunkSpec(spec: Partial<SipTrunkSpec> = {}): SipTrunkSpec {
  return {
    host: "192.0.2.10",
    port: 5060,
    transport: "UDP",
    mediaEncryption: "None",
    registration: "Disabled",
    codecs: ["PCMU", "PCMA"],
    callerId: { from: "Tracking", pAssertedIdentity: "None", diversion: "None" },
    keepAlive: { optionsIntervalSeconds: 60 },
    ...spec,
  };
}

export function aTrunk(key = "acme/carrier", spec: Partial<SipTrunkSpec> = {}): { key: string; spec: SipTrunkSpec } {
  return { key, spec: aTrunkSpec(spec) };
}

export function aDialplanPool(key: string, owned: readonly (string | readonly [string, string])[], spec: Partial<NumberPoolSpec> = {}): DialplanPool {
  return {
    key,
    owned: owned.map((range) => (typeof range === "string" ? { from: range, to: range } : { from: range[0], to: range[1] })),
    spec: {
      trunkRef: { name: "carrier" },
      assignment: { leaseSeconds: 1800, cooldownSeconds: 900, attributionWindowSeconds: 2_592_000, onExhausted: { type: "LeavePage" } },
      defaultDestination: { number: "+12025550199" },
      display: { format: "National" },
      consent: "NotRequired",
      reclaimPolicy: "Retain",
      ...spec,
    },
  };
}

/** `count` different numbers, spread over ten million. */
export function scatteredNumbers(count: number, prefix = "+1303"): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${String((i * 7_919 + 13) % 10_000_000).padStart(7, "0")}`);
}
