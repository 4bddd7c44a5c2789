import { isDeepStrictEqual } from "node:util";
import { ContentType, type KubeClient } from "./client.ts";
import { isNotFound, KubeError } from "./kube-error.ts";
import { isRecord, objectPath, type KubeObject, type ResourceType } from "./objects.ts";

/** One object, so exactly that its successor of the same name is another one. */
export interface ObjectRef {
  readonly type: ResourceType;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid: string;
}

/** `gone`: deleted, or replaced by another object of the same name; nothing was written. */
export type StatusOutcome = "written" | "unchanged" | "gone";

export interface StatusWriterOptions {
  readonly client: KubeClient;
  /** Who owns the fields; one a controller. */
  readonly fieldManager: string;
  readonly monotonic?: () => number;
}

interface Applied {
  readonly status: object;
  readonly at: number;
  /** A watch has shown it since: what a watch shows from now on is newer. */
  seen: boolean;
}

/** A watch that has not shown a write by then will not: somebody wrote over it. */
const LAG_MILLISECONDS = 30_000;

/**
 * Applies the status subresource (server-side apply, forced: the controller is the authority on status), and only when it says
 * something else than what is there. No conflicts, no read before the write.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
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
    if (isDeepStrictEqual(this.#known(ref.uid, cached), wanted)) return "unchanged";
    const { namespace, name, uid } = ref;
    const apiVersion = ref.type.group === "" ? ref.type.version : `${ref.type.group}/${ref.type.version}`;
    try {
      await this.#options.client.request({
        method: "PATCH",
        path: `${objectPath(ref.type, ref)}/status`,
        query: { fieldManager: this.#options.fieldManager, force: true },
        contentType: ContentType.ApplyPatch,
        body: { apiVersion, kind: ref.kind, metadata: { name, namespace, uid }, status: wanted },
      });
    } catch (error) {
      if (!isGoneObject(error)) throw error;
      this.forget(uid);
      return "gone";
    }
    this.#applied.set(uid, { status: wanted, at: this.#now(), seen: false });
    return "written";
  }

  /** Of objects that were deleted. */
  forget(uid: string): void {
    this.#applied.delete(uid);
  }

  #known(uid: string, cached: KubeObject | undefined): unknown {
    const shown = cached?.metadata.uid === uid ? cached["status"] : undefined;
    const applied = this.#applied.get(uid);
    if (applied === undefined) return shown;
    if (isDeepStrictEqual(shown, applied.status)) applied.seen = true;
    const lagging = !applied.seen && this.#now() - applied.at < LAG_MILLISECONDS;
    return lagging ? applied.status : shown;
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

/** With force no owner of a field conflicts; a 409 that does not speak of the uid is a race that the API server gave up. */
function isGoneObject(error: unknown): boolean {
  return isNotFound(error) || (error instanceof KubeError && error.status === 409 && /\buid\b/i.test(error.message));
}
