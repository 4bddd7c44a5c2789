import { isRecord } from "../../shared/json.ts";
import { errorOfStatus, KubeError } from "./kube-error.ts";
import { parseObject, type KubeObject } from "./objects.ts";

export type WatchEvent =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: KubeObject }
  /** Nothing happened up to here. */
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };

/**
 * One line of a watch (metav1.WatchEvent).
 * @throws KubeError the error that an ERROR event tells (410 when history is gone), or `Malformed`
 */
export function parseWatchEvent(line: unknown): WatchEvent {
  const { type, object } = isRecord(line) ? line : {};
  switch (type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      return { type, object: parseObject(object) };
    case "BOOKMARK":
      return { type, resourceVersion: bookmarkOf(object) };
    case "ERROR":
      throw errorOfStatus(0, object);
    default:
      throw new KubeError(0, "Malformed", "a watch event's type must be ADDED, MODIFIED, DELETED, BOOKMARK or ERROR");
  }
}

function bookmarkOf(object: unknown): string {
  const metadata = isRecord(object) ? object["metadata"] : undefined;
  const resourceVersion = isRecord(metadata) ? metadata["resourceVersion"] : undefined;
  if (typeof resourceVersion === "string" && resourceVersion !== "") return resourceVersion;
  throw new KubeError(0, "Malformed", "a bookmark must have metadata.resourceVersion");
}
