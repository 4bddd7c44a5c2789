import { isRecord } from "../../shared/json.ts";
import { KubeError } from "./kube-error.ts";

/** metadata of an object that an API server stores (apimachinery meta/v1 ObjectMeta), as far as the runtime itself reads it. */
export interface KubeMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  /** Opaque: may be compared for equality only. */
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
}

/** An object out of an API server. Never changed in place: caches share it. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: KubeMetadata;
  readonly [field: string]: unknown;
}

/** A kind of resource by its REST name; `group` is empty for the core group. */
export interface ResourceType {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

/** `namespace/name`, or `name` for what has no namespace. */
export function objectKey(metadata: { readonly name: string; readonly namespace?: string | undefined }): string {
  return metadata.namespace === undefined || metadata.namespace === "" ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

/** As objects name it: `apps/v1`, and `v1` in the core group. */
export function apiVersionOf({ group, version }: ResourceType): string {
  return group === "" ? version : `${group}/${version}`;
}

/** Path of the API with all of its collections. */
export function apiPath(type: ResourceType): string {
  return `/${type.group === "" ? "api" : "apis"}/${apiVersionOf(type)}`;
}

/** Path of a collection at the API server, from `/api` or `/apis` on; of all namespaces when none is given. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const namespaced = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${apiPath(type)}${namespaced}/${type.plural}`;
}

/** Path of one object, likewise; without a namespace for what has none. */
export function objectPath(type: ResourceType, metadata: { readonly name: string; readonly namespace?: string | undefined }): string {
  return `${collectionPath(type, metadata.namespace)}/${encodeURIComponent(metadata.name)}`;
}

/**
 * What every stored object has: name, uid and resourceVersion. Field managers are dropped: they are half of an object's bytes.
 * @throws KubeError `Malformed`
 */
export function parseObject(value: unknown): KubeObject {
  const metadata = isRecord(value) && isRecord(value["metadata"]) ? value["metadata"] : {};
  const { name, uid, resourceVersion } = metadata;
  if (!isRecord(value) || !isText(name) || !isText(uid) || !isText(resourceVersion)) {
    throw new KubeError(0, "Malformed", "must be an object with metadata.name, metadata.uid and metadata.resourceVersion");
  }
  // Left out, not deleted: V8 keeps an object that something was deleted from as a hash table, several times its size.
  const kept = Object.fromEntries(Object.entries(metadata).filter(([field]) => field !== "managedFields"));
  return { ...value, metadata: kept } as unknown as KubeObject;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
