import type { AnyResource } from "../resources.ts";
import type { Finding } from "./finding.ts";
import { numberPoolFindings } from "./numberpool.ts";
import { routingRuleFindings } from "./routingrule.ts";
import { sipTrunkFindings } from "./siptrunk.ts";

/**
 * What schema and CEL can't know of one object on its own. The same function runs when a manifest is read and
 * when the operator accepts an object that an API server stored.
 */
export function resourceFindings(resource: AnyResource): Finding[] {
  switch (resource.kind) {
    case "NumberPool":
      return numberPoolFindings(resource.spec);
    case "RoutingRule":
      return routingRuleFindings(resource.spec);
    case "SipTrunk":
      return sipTrunkFindings(resource.spec);
  }
}
