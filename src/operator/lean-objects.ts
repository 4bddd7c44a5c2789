import type { Transform } from "../adapters/kubernetes/cache/store.ts";
import { Shared } from "../domain/shared-values.ts";

/**
 * Tens of thousands of objects say much the same in their statuses, and a status that changes comes with the whole object once more:
 * what is equal is kept once. `generation` counts changes of spec, so an object of the same one still has the same specification.
 */
export function leanObjects(): Transform {
  const shared = new Shared();
  return (object, previous) => {
    const { uid, generation } = object.metadata;
    const unchanged = previous !== undefined && generation !== undefined && previous.metadata.uid === uid && previous.metadata.generation === generation;
    return { ...object, ...(unchanged ? { spec: previous["spec"] } : {}), ...("status" in object ? { status: shared.of(object["status"]) } : {}) };
  };
}
