import type { ResourceType } from "../adapters/kubernetes/objects.ts";
import type { ResourceKind } from "../domain/resources.ts";

const GROUP = { group: "dialplane.io", version: "v1alpha1" } as const;

/** The kinds that are watched, by their REST names. */
export const TYPES: Readonly<Record<ResourceKind, ResourceType>> = {
  NumberPool: { ...GROUP, plural: "numberpools" },
  RoutingRule: { ...GROUP, plural: "routingrules" },
  SipTrunk: { ...GROUP, plural: "siptrunks" },
};

export const KINDS = Object.keys(TYPES) as readonly ResourceKind[];

export const SECRETS: ResourceType = { group: "", version: "v1", plural: "secrets" };

/** Owner of the status fields that we apply, and what Events name as their origin. */
export const FIELD_MANAGER = "dialplane-operator";
export const CONTROLLER = "dialplane.io/operator";

/** On pools only: their numbers and history outlive the object unless cleaned up (docs/decisions/0011). */
export const POOL_FINALIZER = "dialplane.io/numbers";
