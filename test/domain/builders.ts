import type { NumberPoolSpec, RoutingRuleDestination, RoutingRuleSpec, SipTrunkSpec } from "../../src/domain/api.generated.ts";
import { parseE164 } from "../../src/domain/e164.ts";
import type { PodReport, PoolEntry, RuleEntry, Snapshot, TrunkEntry } from "../../src/domain/ports.ts";
import { RoutingIndex, type RoutingTable } from "../../src/domain/routing-table.ts";
import type { CallContext, CallFacts, E164 } from "../../src/domain/types.ts";

/** Valid objects with every default of the API; each test says only what it is about. */

export function e164(text: string): E164 {
  const number = parseE164(text);
  if (number === null) throw new Error(`${text} in a test is no E.164 number`);
  return number;
}

type Identity = Partial<Omit<PoolEntry, "spec" | "createdAt">> & { readonly createdAt?: Date | string };

function identity(of: Identity, key: string): { key: string; uid: string; createdAt: Date } {
  const name = of.key ?? key;
  return { key: name, uid: of.uid ?? `uid-of-${name}`, createdAt: new Date(of.createdAt ?? "2026-01-01T00:00:00Z") };
}

/** Without a number of its own. */
export function aPoolSpec(spec: Partial<NumberPoolSpec> = {}): NumberPoolSpec {
  return {
    trunkRef: { name: "carrier" },
    assignment: anAssignment(),
    defaultDestination: { number: "+12025550199" },
    display: { format: "National" },
    consent: "NotRequired",
    reclaimPolicy: "Retain",
    ...spec,
  };
}

export function aPool(spec: Partial<NumberPoolSpec> = {}, of: Identity = {}): PoolEntry {
  const ranges = spec.numbers === undefined ? { ranges: [{ from: "+12025550100", to: "+12025550109" }] } : {};
  return { ...identity(of, "default/sales"), labels: of.labels ?? {}, spec: aPoolSpec({ ...ranges, ...spec }) };
}

export function tableOf(of: Partial<Snapshot>): RoutingTable {
  return new RoutingIndex({ revision: 0, mark: "", pools: [], rules: [], trunks: [], ...of }).table;
}

export function anAssignment(of: Partial<NumberPoolSpec["assignment"]> = {}): NumberPoolSpec["assignment"] {
  return { leaseSeconds: 1800, cooldownSeconds: 900, attributionWindowSeconds: 2_592_000, onExhausted: { type: "LeavePage" }, ...of };
}

export function aRule(
  spec: Partial<Omit<RoutingRuleSpec, "match">> & { readonly match?: Partial<RoutingRuleSpec["match"]> } = {},
  of: Identity & { readonly pools?: readonly string[] } = {},
): RuleEntry {
  return {
    ...identity(of, "default/rule"),
    pools: of.pools ?? ["default/sales"],
    spec: {
      ...(spec.poolSelector === undefined ? { poolRefs: [{ name: "sales" }] } : {}),
      priority: 0,
      strategy: "Sequential",
      destinations: [aDestination()],
      callerId: { type: "Tracking" },
      onBusy: "Stop",
      onNoAnswer: "Next",
      maxCallSeconds: 14_400,
      stickyCaller: "Disabled",
      earlyMedia: "Ring",
      ...spec,
      match: { repeatCaller: "Any", ...spec.match },
    },
  };
}

export function aDestination(of: Partial<RoutingRuleDestination> = {}): RoutingRuleDestination {
  const address = of.sipUri === undefined ? { number: "+12025550141" } : {};
  return { name: "front-desk", ...address, weight: 1, ringTimeoutSeconds: 25, ...of };
}

export function aTrunkSpec(spec: Partial<SipTrunkSpec> = {}): SipTrunkSpec {
  return {
    host: "sip.carrier.example",
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

export function aTrunk(spec: Partial<SipTrunkSpec> = {}, of: Identity = {}): TrunkEntry {
  return { ...identity(of, "default/carrier"), spec: aTrunkSpec(spec) };
}

/** A pod that runs nothing yet and has no folder of trunks. */
export function aReport(of: Partial<PodReport> = {}): PodReport {
  return { pod: "pod-0", running: null, error: null, routing: null, trunks: null, ...of };
}

/** A call at noon UTC on a Monday from a caller nobody knows, to a number leased to a prospect. */
export function facts(
  of: Partial<Omit<CallFacts, "context" | "caller" | "did">> & { caller?: string | null; did?: string; context?: Partial<CallContext> } = {},
): CallFacts {
  const { context, caller, did, ...rest } = of;
  return {
    did: e164(did ?? "+12025550101"),
    pool: "default/sales",
    caller: caller === undefined ? e164("+13125550123") : caller === null ? null : e164(caller),
    at: new Date("2026-06-01T12:00:00Z"),
    random: 0,
    turns: {},
    ...rest,
    context: {
      attribution: "exclusive",
      prospect: "9b2c0f5e-52a4-4f9b-8c8e-0c1f6c3d7a11",
      mediaElements: ["hero"],
      attributes: {},
      repeatCaller: false,
      lastAnsweredBy: null,
      liveCalls: {},
      ...context,
    },
  };
}
