import { API, type ResourceKind } from "../../domain/resources.ts";
import type { ResourceType } from "./objects.ts";

/** Everything that is declared, by its REST names. */
export const TYPES: Readonly<Record<ResourceKind, ResourceType>> = {
  NumberPool: { ...API, plural: "numberpools" },
  RoutingRule: { ...API, plural: "routingrules" },
  SipTrunk: { ...API, plural: "siptrunks" },
};

export const KINDS = Object.keys(TYPES) as readonly ResourceKind[];

export const SECRETS: ResourceType = { group: "", version: "v1", plural: "secrets" };
