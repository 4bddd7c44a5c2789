import type {
  NumberPoolSpec,
  NumberPoolStatus,
  RoutingRuleSpec,
  RoutingRuleStatus,
  SipTrunkSpec,
  SipTrunkStatus,
} from "./api.generated.ts";

/** Of everything declared. */
export const API = { group: "dialplane.io", version: "v1alpha1" } as const;
export const API_VERSION = `${API.group}/${API.version}` as const;

/** The part of Kubernetes' ObjectMeta that decisions may use. */
export interface ResourceMetadata {
  readonly name: string;
  readonly namespace: string;
  /** Identity: a deleted and re-created object is another object. Empty until a source has assigned one. */
  readonly uid: string;
  /** Counts changes of `spec`, from 1. */
  readonly generation: number;
  /** RFC 3339, UTC. */
  readonly creationTimestamp: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A custom resource as decisions see it: valid and defaulted. */
export interface Resource<K extends string, S, T> {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: K;
  readonly metadata: ResourceMetadata;
  readonly spec: S;
  readonly status?: T;
  /** Fields that an API server stored by newer definitions than ours: they are not in `spec` and have no effect. */
  readonly unknownFields?: readonly string[];
}

export type NumberPool = Resource<"NumberPool", NumberPoolSpec, NumberPoolStatus>;
export type RoutingRule = Resource<"RoutingRule", RoutingRuleSpec, RoutingRuleStatus>;
export type SipTrunk = Resource<"SipTrunk", SipTrunkSpec, SipTrunkStatus>;

export type AnyResource = NumberPool | RoutingRule | SipTrunk;
export type ResourceKind = AnyResource["kind"];
