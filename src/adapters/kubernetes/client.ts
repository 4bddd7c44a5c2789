import type { IncomingMessage } from "node:http";
import type { KubeConfig } from "@kubernetes/client-node";
import type { Logger } from "../../domain/ports.ts";
import { Connections } from "./connection.ts";
import { lost, readText, send, type HttpCall, type Method } from "./http.ts";
import { jsonLines, parseJson } from "./json-lines.ts";
import { errorOfStatus, isNotFound, KubeError } from "./kube-error.ts";

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface KubeRequest {
  readonly method: Method;
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  /** `application/json`, but for PATCH: see `ContentType`. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** For the whole request; 15 s. */
  readonly timeoutMs?: number;
}

/** What a PATCH may be (https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply). JSON is YAML. */
export const ContentType = {
  MergePatch: "application/merge-patch+json",
  JsonPatch: "application/json-patch+json",
  ApplyPatch: "application/apply-patch+yaml",
} as const;

export interface WatchRequest {
  readonly path: string;
  readonly query: Query;
  readonly signal: AbortSignal;
  /** Without a byte for this long the connection counts as dead. */
  readonly quietMs: number;
  /** The API server has agreed to tell; events follow. */
  readonly onOpen?: () => void;
}

/** An API server, by its REST paths. */
export interface KubeClient {
  /** @throws KubeError for a status of 300 and more, and when there is no answer */
  request(request: KubeRequest): Promise<unknown>;
  /** A watch's events as they come, until the server ends it. @throws KubeError as `request`, and `Timeout` for a dead connection */
  watch(request: WatchRequest): AsyncGenerator<unknown, void, undefined>;
  /** Breaks what is under way. */
  close(): void;
}

const DEFAULT_TIMEOUT_MILLISECONDS = 15_000;
/** A watch's headers come at once, also when nothing happens. */
const WATCH_OPEN_MILLISECONDS = 15_000;

/**
 * One pool of connections for all requests. A 401 makes it read token and certificates again, and try once more.
 * @param kubeConfig from the pod (`loadFromCluster`) or a kubeconfig
 */
export function createKubeClient(kubeConfig: KubeConfig, logger: Logger): KubeClient {
  const connections = new Connections(kubeConfig, logger);
  const exchange = async (call: HttpCall): Promise<IncomingMessage> => {
    const response = await send(await connections.current(), call);
    if (response.statusCode !== 401) return response;
    response.resume();
    logger.info({ path: call.path }, "credentials refused; reading them again");
    return send(await connections.renew(), call);
  };
  return {
    request: (request) => requestOnce(exchange, request),
    watch: (request) => watchOnce(exchange, request),
    close: () => connections.close(),
  };
}

/** One object; null when there is none. @throws KubeError, and what `parse` throws */
export async function readIfThere<T>(client: KubeClient, request: Pick<KubeRequest, "path" | "timeoutMs">, parse: (answer: unknown) => T): Promise<T | null> {
  try {
    return parse(await client.request({ method: "GET", ...request }));
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

type Exchange = (call: HttpCall) => Promise<IncomingMessage>;

async function requestOnce(exchange: Exchange, request: KubeRequest): Promise<unknown> {
  const timeout = AbortSignal.timeout(request.timeoutMs ?? DEFAULT_TIMEOUT_MILLISECONDS);
  const signal = request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout]);
  const response = await exchange({
    method: request.method,
    path: withQuery(request.path, request.query),
    signal,
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    ...(request.contentType === undefined ? {} : { contentType: request.contentType }),
  });
  const text = await readText(response, signal);
  if (!succeeded(response)) throw refusal(response, text);
  return parseJson(text);
}

async function* watchOnce(exchange: Exchange, request: WatchRequest): AsyncGenerator<unknown, void, undefined> {
  const quiet = new Quiet();
  const signal = AbortSignal.any([request.signal, quiet.signal]);
  try {
    quiet.expect(WATCH_OPEN_MILLISECONDS);
    const response = await exchange({ method: "GET", path: withQuery(request.path, request.query), signal });
    if (!succeeded(response)) throw refusal(response, await readText(response, signal));
    quiet.expect(request.quietMs);
    request.onOpen?.();
    yield* jsonLines(heard(response, () => quiet.expect(request.quietMs)));
  } catch (error) {
    throw lost(error, signal);
  } finally {
    quiet.end();
  }
}

async function* heard(response: IncomingMessage, onBytes: () => void): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of response as AsyncIterable<Buffer>) {
    onBytes();
    yield chunk;
  }
}

/** Aborts what does not give a sign of life in time. */
class Quiet {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  expect(withinMs: number): void {
    clearTimeout(this.#timer);
    const late = () => this.#controller.abort(new KubeError(0, "Timeout", `no sign of life from the API server for ${withinMs} ms`));
    this.#timer = setTimeout(late, withinMs);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

function succeeded(response: IncomingMessage): boolean {
  const status = response.statusCode ?? 0;
  return status >= 200 && status < 300;
}

function refusal(response: IncomingMessage, text: string): KubeError {
  return errorOfStatus(response.statusCode ?? 0, jsonOrNothing(text), response.headers["retry-after"]);
}

/** A proxy in between answers with a page. */
function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function withQuery(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
  return text === "" ? path : `${path}?${text}`;
}
