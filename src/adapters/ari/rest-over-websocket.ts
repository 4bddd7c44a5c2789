import { ExpectedError } from "../../domain/errors.ts";
import { AriError } from "../../domain/ports.ts";
import { asInteger, asObject, asString, type Json, parseJson } from "./json.ts";

export interface RestRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly body?: object | undefined;
}

interface Pending {
  readonly operation: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  /** By `performance.now()`. */
  readonly askedAt: number;
  readonly timer: NodeJS.Timeout;
}

/** A timer that is later than this did not run late by itself. */
const STALLED_MS = 1_000;
const CATCH_UP_MS = 1_000;

/**
 * Requests and their answers on a WebSocket (Asterisk's "ARI REST over WebSocket").
 * Asterisk works requests off in the order they were sent, so that two that depend on each other need no round trip between.
 */
export class RestOverWebSocket {
  readonly #pending = new Map<string, Pending>();
  readonly #timeoutMs: number;
  #sequence = 0;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Milliseconds for which the oldest request has waited. */
  get behindMs(): number {
    const [oldest] = this.#pending.values();
    return oldest === undefined ? 0 : performance.now() - oldest.askedAt;
  }

  /**
   * @param send puts a text frame on the socket
   * @throws AriError for a status of 300 and more; ExpectedError `Unavailable` when no answer came in time or the socket was lost
   */
  request(request: RestRequest, send: (frame: string) => void): Promise<unknown> {
    this.#sequence += 1;
    const id = String(this.#sequence);
    const operation = `${request.method} ${request.path}`;
    return new Promise((resolve, reject) => {
      const askedAt = performance.now();
      const timer = setTimeout(() => this.#late(id, askedAt + this.#timeoutMs), this.#timeoutMs);
      this.#pending.set(id, { operation, resolve, reject, askedAt, timer });
      send(JSON.stringify(toFrame(id, request)));
    });
  }

  /** Takes a `RESTResponse`; one that nobody waits for any more is dropped. */
  settle(response: Json): void {
    const pending = this.#take(asString(response["request_id"]));
    if (pending === undefined) {
      return;
    }
    const status = asInteger(response["status_code"]) ?? 0;
    const body = parseJson(asString(response["message_body"]));
    if (status >= 200 && status < 300) {
      pending.resolve(body);
      return;
    }
    const reason = asString(asObject(body)["message"]) || asString(asObject(body)["error"]) || asString(response["reason_phrase"]);
    pending.reject(new AriError(status, pending.operation, reason.slice(0, 200)));
  }

  /** The socket is gone: whether Asterisk did what was asked is unknown. */
  rejectAll(reason: string): void {
    for (const id of [...this.#pending.keys()]) {
      const pending = this.#take(id);
      pending?.reject(new ExpectedError("Unavailable", `${reason} before ARI answered ${pending.operation}`));
    }
  }

  /** When this whole process stood still, the answer may have come long ago: what waits on the socket is read first. */
  #late(id: string, due: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (performance.now() < due + STALLED_MS) this.#expire(id);
    else this.#pending.set(id, { ...pending, timer: setTimeout(() => this.#expire(id), CATCH_UP_MS) });
  }

  #expire(id: string): void {
    const pending = this.#take(id);
    pending?.reject(new ExpectedError("Unavailable", `ARI did not answer ${pending.operation} within ${this.#timeoutMs} ms`));
  }

  #take(id: string): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(pending?.timer);
    return pending;
  }
}

function toFrame(id: string, { method, path, query, body }: RestRequest): Json {
  return {
    type: "RESTRequest",
    transaction_id: id,
    request_id: id,
    method,
    uri: path.replace(/^\//, ""),
    ...(query === undefined ? {} : { query_strings: Object.entries(query).map(([name, value]) => ({ name, value })) }),
    ...(body === undefined ? {} : { content_type: "application/json", message_body: JSON.stringify(body) }),
  };
}
