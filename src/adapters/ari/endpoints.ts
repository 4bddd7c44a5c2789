import type { ReachabilityState } from "../../domain/api.generated.ts";
import type { AriRest } from "../../domain/ports.ts";
import { asObject, asString } from "./json.ts";

/** ARI's Endpoint model: `unknown` until the first OPTIONS was answered or given up. */
const STATES: Readonly<Record<string, ReachabilityState>> = { online: "Reachable", offline: "Unreachable" };

/** Whether what is behind each PJSIP endpoint answers OPTIONS; meaningless for those that are not asked. One request. */
export async function endpointStates(ari: AriRest): Promise<ReadonlyMap<string, ReachabilityState>> {
  const answer = await ari.request("GET", "/endpoints/PJSIP");
  const endpoints = (Array.isArray(answer) ? answer : []).map(asObject);
  return new Map(endpoints.map((endpoint) => [asString(endpoint["resource"]), STATES[asString(endpoint["state"])] ?? "Unknown"]));
}
