import { isRecord } from "../../shared/json.ts";
import { readIfThere, type KubeClient } from "./client.ts";
import { KubeError } from "./kube-error.ts";
import { objectPath, collectionPath } from "./objects.ts";

const LEASES = { group: "coordination.k8s.io", version: "v1", plural: "leases" } as const;

/** spec of coordination.k8s.io/v1 Lease, as client-go's leader election reads and writes it. */
export interface LeaseRecord {
  /** Empty when it was released. */
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  /** RFC 3339 with microseconds; for people only, clocks differ. */
  readonly acquireTime: string;
  readonly renewTime: string;
  /** How often the lease changed hands. */
  readonly leaseTransitions: number;
}

export interface StoredLease {
  readonly resourceVersion: string;
  readonly record: LeaseRecord;
  /** The whole object, to keep what others wrote into it. */
  readonly object: Readonly<Record<string, unknown>>;
}

export interface LeaseName {
  readonly namespace: string;
  readonly name: string;
}

/** Reads and writes one Lease. A write over a state that is no longer there fails with 409. */
export interface LeaseClient {
  /** Null when there is none. */
  read(timeoutMs: number): Promise<StoredLease | null>;
  create(record: LeaseRecord, timeoutMs: number): Promise<StoredLease>;
  update(before: StoredLease, record: LeaseRecord, timeoutMs: number): Promise<StoredLease>;
}

export function leaseClient(client: KubeClient, lease: LeaseName): LeaseClient {
  const path = objectPath(LEASES, lease);
  return {
    read: (timeoutMs) => readIfThere(client, { path, timeoutMs }, parseLease),
    create: async (spec, timeoutMs) => {
      const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: lease, spec };
      return parseLease(await client.request({ method: "POST", path: collectionPath(LEASES, lease.namespace), body, timeoutMs }));
    },
    update: async ({ object }, record, timeoutMs) => {
      const spec = { ...(isRecord(object["spec"]) ? object["spec"] : {}), ...record };
      return parseLease(await client.request({ method: "PUT", path, body: { ...object, spec }, timeoutMs }));
    },
  };
}

function parseLease(object: unknown): StoredLease {
  const metadata = isRecord(object) ? object["metadata"] : undefined;
  const resourceVersion = isRecord(metadata) ? metadata["resourceVersion"] : undefined;
  if (!isRecord(object) || typeof resourceVersion !== "string") throw new KubeError(0, "Malformed", "must be a Lease with metadata.resourceVersion");
  return { resourceVersion, object, record: parseRecord(isRecord(object["spec"]) ? object["spec"] : {}) };
}

/** Every field of a Lease's spec is optional: what is missing reads as released. */
function parseRecord(spec: Record<string, unknown>): LeaseRecord {
  return {
    holderIdentity: text(spec["holderIdentity"]),
    leaseDurationSeconds: count(spec["leaseDurationSeconds"]),
    acquireTime: text(spec["acquireTime"]),
    renewTime: text(spec["renewTime"]),
    leaseTransitions: count(spec["leaseTransitions"]),
  };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : 0;
}

/** metav1.MicroTime. */
export function microTime(at: Date): string {
  return at.toISOString().replace("Z", "000Z");
}
