import { isRecord } from "../../shared/json.ts";
import type { KubeClient, Query } from "./client.ts";
import { isGone, KubeError } from "./kube-error.ts";
import { parseObject, type KubeObject } from "./objects.ts";

export interface ListOptions {
  readonly client: KubeClient;
  readonly path: string;
  /** Selectors. */
  readonly query?: Query;
  readonly pageSize: number;
  readonly signal: AbortSignal;
}

export interface Listed {
  readonly objects: readonly KubeObject[];
  /** Where a watch goes on. */
  readonly resourceVersion: string;
}

/** A page may be many megabytes. */
const PAGE_TIMEOUT_MILLISECONDS = 60_000;
/** Then the whole list is asked for at once, which can't expire half-way. */
const MAX_PAGED_TRIES = 2;

/**
 * Reads a whole collection page by page, as of one moment. When that moment's history is gone half-way (410), it starts again.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
 * @throws KubeError
 */
export async function listAll(options: ListOptions): Promise<Listed> {
  for (let attempt = 0; attempt < MAX_PAGED_TRIES; attempt += 1) {
    try {
      return await listPages(options, options.pageSize);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return listPages(options, undefined);
}

async function listPages(options: ListOptions, limit: number | undefined): Promise<Listed> {
  const objects: KubeObject[] = [];
  let token: string | undefined;
  for (;;) {
    const page = pageOf(
      await options.client.request({
        method: "GET",
        path: options.path,
        query: { ...options.query, limit, continue: token },
        signal: options.signal,
        timeoutMs: PAGE_TIMEOUT_MILLISECONDS,
      }),
    );
    for (const item of page.items) objects.push(parseObject(item));
    if (page.next === "") return { objects, resourceVersion: page.resourceVersion };
    if (page.next === token) throw new KubeError(0, "Malformed", "a list's continue token must move on");
    token = page.next;
  }
}

function pageOf(answer: unknown): { readonly items: readonly unknown[]; readonly resourceVersion: string; readonly next: string } {
  const metadata = isRecord(answer) && isRecord(answer["metadata"]) ? answer["metadata"] : {};
  const { resourceVersion, continue: next } = metadata;
  // A collection without objects may come as null (Go's empty slice).
  const items: unknown = isRecord(answer) ? (answer["items"] ?? []) : undefined;
  if (!Array.isArray(items) || typeof resourceVersion !== "string") {
    throw new KubeError(0, "Malformed", "must be a list with items and metadata.resourceVersion");
  }
  return { items, resourceVersion, next: typeof next === "string" ? next : "" };
}
