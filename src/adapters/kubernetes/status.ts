import { backoffMs, pause } from "../../shared/backoff.ts";
import { isDeepStrictEqual } from "node:util";
import { isRecord } from "../../shared/json.ts";
import { ContentType, type KubeClient, readIfThere } from "./client.ts";
import { isConflict, isNotFound, KubeError } from "./kube-error.ts";
import { apiVersionOf, objectPath, parseObject, type KubeObject, type ResourceType } from "./objects.ts";

/** One object, so exactly that its successor of the same name is another one. */
export interface ObjectRef {
  readonly type: ResourceType;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid: string;
}

/**
 * `awaited`: it was written a moment ago, and what a watch has shown says something else. Mostly that is older; what was written over it meanwhile is
 * known only after `LAG_MILLISECONDS`: write it once more then.
 * `gone`: deleted, or replaced by another object of the same name; nothing was written.
 */
export type StatusOutcome = "written" | "unchanged" | "awaited" | "gone";

export interface StatusWriterOptions {
  readonly client: KubeClient;
  /** Who owns the fields; one a controller. */
  readonly fieldManager: string;
  readonly monotonic?: () => number;
}

interface Applied {
  readonly status: object;
  readonly resourceVersion: string;
  readonly at: number;
}

/** A watch that has not shown a write by then will not: somebody wrote over it. */
export const LAG_MILLISECONDS = 30_000;
const MAX_TRIES = 5;
const RETRY = { firstMs: 20, longestMs: 500 } as const;

/**
 * Applies the status subresource (server-side apply, forced: the controller is the authority on status), and only when it says
 * something else than what is there. On condition of the resourceVersion: the subresource does not look at the uid, and what is
 * said of one object must not be read on its successor of the same name.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  /** Writes that no watch has shown yet: what one shows after that is newer. */
  readonly #applied = new Map<string, Applied>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /**
   * @param cached the object as a watch last showed it; its status may be older than the last write
   * @throws KubeError when it could not be written; try again later
   */
  async write(ref: ObjectRef, status: object, cached: KubeObject | undefined): Promise<StatusOutcome> {
    const wanted = plain(status);
    if (isDeepStrictEqual(this.#known(ref.uid, cached), wanted)) return this.#applied.has(ref.uid) ? "awaited" : "unchanged";
    let resourceVersion = this.#expected(ref.uid, cached);
    for (let tries = 1; ; tries += 1) {
      resourceVersion ??= await this.#read(ref);
      const written = resourceVersion === undefined ? undefined : await this.#apply(ref, wanted, resourceVersion);
      if (written === undefined) return this.#gone(ref);
      if (!(written instanceof KubeError)) {
        this.#applied.set(ref.uid, { status: wanted, resourceVersion: written, at: this.#now() });
        return "written";
      }
      if (tries === MAX_TRIES) throw written;
      resourceVersion = undefined;
      await pause(backoffMs(RETRY, tries), new AbortController().signal);
    }
  }

  /** Of objects that were deleted. */
  forget(uid: string): void {
    this.#applied.delete(uid);
  }

  #gone({ uid }: ObjectRef): "gone" {
    this.forget(uid);
    return "gone";
  }

  /** The resourceVersion that it then has, undefined for an object that is gone, or the conflict when it was changed meanwhile. */
  async #apply(ref: ObjectRef, status: object, resourceVersion: string): Promise<string | undefined | KubeError> {
    const { type, kind, namespace, name, uid } = ref;
    const apiVersion = apiVersionOf(type);
    try {
      const answer = await this.#options.client.request({
        method: "PATCH",
        path: `${objectPath(type, ref)}/status`,
        query: { fieldManager: this.#options.fieldManager, force: true },
        contentType: ContentType.ApplyPatch,
        body: { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion }, status },
      });
      return parseObject(answer).metadata.resourceVersion;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (error instanceof KubeError && isConflict(error)) return error;
      throw error;
    }
  }

  /** Undefined when it is gone, or another one by now. */
  async #read(ref: ObjectRef): Promise<string | undefined> {
    const found = await readIfThere(this.#options.client, { path: objectPath(ref.type, ref) }, parseObject);
    return found?.metadata.uid === ref.uid ? found.metadata.resourceVersion : undefined;
  }

  /** The newest resourceVersion that is known; undefined when none is. */
  #expected(uid: string, cached: KubeObject | undefined): string | undefined {
    const applied = this.#applied.get(uid);
    if (applied !== undefined) return applied.resourceVersion;
    return cached?.metadata.uid === uid ? cached.metadata.resourceVersion : undefined;
  }

  #known(uid: string, cached: KubeObject | undefined): unknown {
    const shown = cached?.metadata.uid === uid ? cached["status"] : undefined;
    const applied = this.#applied.get(uid);
    if (applied === undefined) return shown;
    if (!isDeepStrictEqual(shown, applied.status) && this.#now() - applied.at < LAG_MILLISECONDS) return applied.status;
    this.#applied.delete(uid);
    return shown;
  }

  #now(): number {
    return (this.#options.monotonic ?? (() => performance.now()))();
  }
}

/** As it comes back: without what JSON does not carry. */
function plain(status: object): object {
  const copy: unknown = JSON.parse(JSON.stringify(status));
  return isRecord(copy) ? copy : {};
}
