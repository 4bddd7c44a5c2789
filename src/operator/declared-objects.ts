import { isDeepStrictEqual } from "node:util";
import { conformResource } from "../adapters/manifest/validate-resource.ts";
import type { Schemas } from "../adapters/manifest/load-schemas.ts";
import type { KubeObject } from "../adapters/kubernetes/objects.ts";
import type { Departure } from "../domain/conditions-kinds.ts";
import type { LeavingPool } from "../domain/ports.ts";
import type { AnyResource, ResourceKind } from "../domain/resources.ts";
import { fieldName } from "../domain/validate/finding.ts";
import { POOL_FINALIZER } from "./names.ts";

/** What an object of the API server means to a reconcile. */
export type Meaning =
  /** Takes part. */
  | { readonly state: "declared"; readonly resource: AnyResource }
  /** A pool that has no finalizer of ours yet: nothing may be written for it before. `refused`: why it can't be put on, where that is known. */
  | { readonly state: "unprotected"; readonly refused: string | null }
  /** A pool that is being deleted and waits for our clean-up. */
  | { readonly state: "leaving"; readonly pool: LeavingPool }
  /** Being deleted, and nothing of ours holds it. */
  | { readonly state: "gone" }
  /** Does not fit our schema although what it does not know was passed over: it was stored under another one. */
  | { readonly state: "refused"; readonly problems: readonly string[] };

/** The kind is that of the collection: items of a list need not name it. */
export function meaningOf(schemas: Schemas, kind: ResourceKind, object: KubeObject): Meaning {
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  const held = kind === "NumberPool" && finalizers.includes(POOL_FINALIZER);
  if (deletionTimestamp !== undefined) {
    return held ? { state: "leaving", pool: { uid: object.metadata.uid, reclaimPolicy: reclaimPolicyOf(object) } } : { state: "gone" };
  }
  if (kind === "NumberPool" && !held) return { state: "unprotected", refused: null };
  const conforming = conformResource(schemas, { ...object, kind }, "stored");
  if (conforming.ok) return { state: "declared", resource: sharing(conforming.resource, object) };
  return { state: "refused", problems: conforming.errors.map(({ path, message }) => `${fieldName(path)}: ${message}`) };
}

/** What an API server stored has its defaults already: then there need not be a second copy of it, ten thousand times over. */
function sharing(resource: AnyResource, object: KubeObject): AnyResource {
  return isDeepStrictEqual(resource.spec, object["spec"]) ? ({ ...resource, spec: object["spec"] } as AnyResource) : resource;
}

/** What an object that is being deleted waits for. */
export function departureOf(meaning: Meaning, { metadata: { finalizers = [] } }: KubeObject): Departure {
  const others = finalizers.filter((finalizer) => finalizer !== POOL_FINALIZER);
  if (meaning.state !== "leaving") return { ours: null, others };
  return { ours: meaning.pool.reclaimPolicy === "Delete" ? "take it out of service and delete its history" : "take it out of service", others };
}

/** Retain for anything unknown: what was deleted can't be brought back. */
function reclaimPolicyOf(object: KubeObject): LeavingPool["reclaimPolicy"] {
  const spec = object["spec"] as { readonly reclaimPolicy?: unknown } | undefined;
  return spec?.reclaimPolicy === "Delete" ? "Delete" : "Retain";
}

/** Whether a change of an object means anything to a reconcile: a status that we wrote ourselves does not. */
export function meansTheSame(a: KubeObject, b: KubeObject): boolean {
  return fingerprint(a) === fingerprint(b);
}

/** `generation` counts changes of spec; labels are what selectors read. */
function fingerprint({ metadata }: KubeObject): string {
  const { uid, generation, labels = {}, deletionTimestamp, finalizers = [] } = metadata;
  return JSON.stringify([uid, generation, deletionTimestamp, finalizers, Object.entries(labels).sort()]);
}
