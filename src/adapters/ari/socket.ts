import type { Socket } from "node:net";
import { type RawData, WebSocket } from "ws";

import { ExpectedError } from "../../domain/errors.ts";
import type { AriRest } from "../../domain/ports.ts";
import { asObject, type Json, parseJson } from "./json.ts";
import { watchLiveness } from "./liveness.ts";
import { RestOverWebSocket } from "./rest-over-websocket.ts";

export interface AriSocketOptions {
  /** Base address: `http://127.0.0.1:8088/ari`. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** Name of the Stasis application that the socket is registered for: the last socket to ask for one has it. */
  readonly app: string;
  readonly requestTimeoutMs?: number | undefined;
  readonly pingIntervalMs?: number | undefined;
  /** What comes and is no answer to a request. */
  readonly onMessage: (message: Json) => void;
}

const PING_MS = 5_000;
const ANSWER_MS = 5_000;
/** A call has a few requests on their way; ARI messages are small. Bounds what a broken peer can make us hold. */
const MAX_MESSAGE_BYTES = 64 << 20;

/** One WebSocket to Asterisk, from connecting until it is gone: it is not opened again. Asterisk works its requests off one after the other. */
export class AriSocket implements AriRest {
  readonly #socket: WebSocket;
  readonly #rest: RestOverWebSocket;
  readonly #app: string;
  #wire: Socket | undefined;
  /** Resolves when requests can be sent; never when that does not happen. */
  readonly opened: Promise<void>;
  /** Resolves with why it is gone. */
  readonly closed: Promise<string>;

  constructor({ onMessage, ...options }: AriSocketOptions) {
    this.#rest = new RestOverWebSocket(options.requestTimeoutMs ?? ANSWER_MS);
    this.#app = options.app;
    const socket = open(options);
    this.#socket = socket;
    const watch = watchLiveness(socket, options.pingIntervalMs ?? PING_MS);
    socket.on("upgrade", ({ socket: wire }) => (this.#wire = wire));
    socket.on("message", (data) => {
      const message = asObject(parseJson(asText(data)));
      if (message["type"] === "RESTResponse") this.#rest.settle(message);
      else onMessage(message);
    });
    this.opened = new Promise((resolve) => socket.once("open", () => resolve()));
    this.closed = closed(socket).then((reason) => {
      clearInterval(watch);
      this.#rest.rejectAll("the socket was lost");
      return reason;
    });
  }

  get open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  get behindMs(): number {
    return this.#rest.behindMs;
  }

  request(...[method, path, query, body]: Parameters<AriRest["request"]>): Promise<unknown> {
    if (!this.open) return Promise.reject(notConnected(method, path));
    return this.#rest.request({ method, path, query, body }, (frame) => {
      if (this.#wire !== undefined) sendTogether(this.#wire);
      this.#socket.send(frame);
    });
  }

  /** Of everything else Asterisk sends nothing on this socket. */
  allow(types: readonly string[]): Promise<unknown> {
    return this.request("PUT", `/applications/${encodeURIComponent(this.#app)}/eventFilter`, undefined, { allowed: types.map((type) => ({ type })) });
  }

  /** Says goodbye first. */
  close(): void {
    this.#socket.close();
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

export function notConnected(method: string, path: string): ExpectedError {
  return new ExpectedError("Unavailable", `ARI is not connected: ${method} ${path} was not sent`);
}

function open({ url, app, user, password }: Omit<AriSocketOptions, "onMessage">): WebSocket {
  const address = `${url.replace(/^http/, "ws")}/events?app=${encodeURIComponent(app)}`;
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  return new WebSocket(address, {
    headers: { authorization },
    perMessageDeflate: false,
    handshakeTimeout: 5_000,
    maxPayload: MAX_MESSAGE_BYTES,
  });
}

/** What is asked for in one turn of the event loop is one write: a write costs more than what is written. */
function sendTogether(wire: Socket): void {
  if (wire.writableCorked > 0) return;
  wire.cork();
  process.nextTick(() => wire.uncork());
}

function asText(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString("utf8");
  return (Buffer.isBuffer(data) ? data : Buffer.from(data)).toString("utf8");
}

function closed(socket: WebSocket): Promise<string> {
  let reason = "";
  socket.on("error", (error) => (reason = error.message));
  return new Promise((resolve) => socket.once("close", (code) => resolve(reason || `the socket was closed with code ${code}`)));
}
