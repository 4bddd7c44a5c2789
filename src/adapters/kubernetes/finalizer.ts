import { ExpectedError } from "../../domain/errors.ts";
import { backoffMs, pause } from "../../shared/backoff.ts";
import { ContentType, type KubeClient, readIfThere } from "./client.ts";
import { isConflict, isNotFound } from "./kube-error.ts";
import { objectPath, parseObject, type KubeObject, type ResourceType } from "./objects.ts";

const MAX_TRIES = 5;
const RETRY = { firstMs: 20, longestMs: 500 } as const;

/**
 * Puts a finalizer on an object; must have happened before anything outside is made for it. Answers the object as it then is;
 * null when it is gone, is being deleted, or is another one by now.
 * @throws ExpectedError `Conflict` when others kept changing the object
 * @throws KubeError
 */
export function addFinalizer(client: KubeClient, type: ResourceType, object: KubeObject, finalizer: string): Promise<KubeObject | null> {
  return change({ client, type, finalizer }, object, (current) => {
    const { finalizers = [], deletionTimestamp } = current.metadata;
    if (finalizers.includes(finalizer)) return "done";
    return deletionTimestamp === undefined ? [...finalizers, finalizer] : "gone";
  });
}

/**
 * Takes it off, after everything outside was cleaned up; the object goes when it was the last. Null when it is gone.
 * @throws ExpectedError `Conflict` when others kept changing the object
 * @throws KubeError
 */
export function removeFinalizer(client: KubeClient, type: ResourceType, object: KubeObject, finalizer: string): Promise<KubeObject | null> {
  return change({ client, type, finalizer }, object, (current) => {
    const { finalizers = [] } = current.metadata;
    // A cache that has not seen it come would leave it there for ever.
    if (current === object && !finalizers.includes(finalizer)) return "unsure";
    return finalizers.includes(finalizer) ? finalizers.filter((other) => other !== finalizer) : "done";
  });
}

interface Target {
  readonly client: KubeClient;
  readonly type: ResourceType;
  readonly finalizer: string;
}
type Decide = (current: KubeObject) => readonly string[] | "done" | "gone" | "unsure";

/**
 * The list of finalizers is written whole, on condition that the object is still the one that was read (resourceVersion), so that
 * nobody else's finalizer is lost. After a conflict the object is read again.
 */
async function change(target: Target, object: KubeObject, decide: Decide): Promise<KubeObject | null> {
  let current: KubeObject | null = object;
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    if (current?.metadata.uid !== object.metadata.uid) return null;
    const finalizers = decide(current);
    if (finalizers === "gone") return null;
    if (finalizers === "done") return current;
    const result = finalizers === "unsure" ? "unsure" : await patch(target, current, finalizers);
    if (typeof result !== "string") return result;
    if (result === "conflict") await pause(backoffMs(RETRY, tries), new AbortController().signal);
    current = await readIfThere(target.client, { path: objectPath(target.type, object.metadata) }, parseObject);
  }
  const { namespace, name } = object.metadata;
  const what = `${target.type.plural} ${namespace ?? ""}/${name}`;
  throw new ExpectedError("Conflict", `finalizer ${target.finalizer} of ${what} could not be changed: others changed the object ${MAX_TRIES} times meanwhile`);
}

async function patch({ client, type }: Target, { metadata }: KubeObject, finalizers: readonly string[]): Promise<KubeObject | null | "conflict"> {
  const { uid, resourceVersion } = metadata;
  const body = { metadata: { uid, resourceVersion, finalizers } };
  try {
    return parseObject(await client.request({ method: "PATCH", path: objectPath(type, metadata), contentType: ContentType.MergePatch, body }));
  } catch (error) {
    if (isNotFound(error)) return null;
    if (isConflict(error)) return "conflict";
    throw error;
  }
}
