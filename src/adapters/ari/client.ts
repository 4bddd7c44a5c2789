import type { Socket } from "node:net";
import { type RawData, WebSocket } from "ws";

import { ExpectedError, messageOf } from "../../domain/errors.ts";
import type { AriRest, Logger } from "../../domain/ports.ts";
import { type AriEvent, parseEvent, WANTED_EVENTS } from "./events.ts";
import { beat, BEAT_MS } from "./holder.ts";
import { asObject, parseJson } from "./json.ts";
import { keepTrying, type Pauses } from "./keep-trying.ts";
import { watchLiveness } from "./liveness.ts";
import { RestOverWebSocket } from "./rest-over-websocket.ts";
import { standBy } from "./stand-by.ts";

export interface AriOptions {
  /** Base address: `http://127.0.0.1:8088/ari`. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** Name of the Stasis application. */
  readonly app: string;
  readonly logger: Logger;
  readonly onEvent: (event: AriEvent) => void;
  /** Connected, and the event filter is set. */
  readonly onUp: () => void;
  /** Was up and is gone; it is tried again for ever. */
  readonly onDown: (reason: string) => void;
  /** Another router has the application now and with it the calls; waits until that one is gone, then connects again. */
  readonly onReplaced?: () => void;
  /** Bound of one request; default 5,000. */
  readonly requestTimeoutMs?: number;
  /** A ping is sent this often; a socket silent for two of them is dead. Default 5,000. */
  readonly pingIntervalMs?: number;
  /** Between two tries to connect; default 100 to 5,000. */
  readonly pauses?: Pauses;
}

export interface AriConnection extends AriRest {
  readonly connected: boolean;
  start(): void;
  /** Closes the socket; resolves when it is gone. Requests on their way are rejected. */
  stop(): Promise<void>;
}

/** A call has a few requests on their way; ARI messages are small. Bounds what a broken peer can make us hold. */
const MAX_MESSAGE_BYTES = 64 << 20;

/**
 * ONE WebSocket for events and requests (REST over WebSocket, Asterisk 22.4 and newer).
 * Asterisk answering 404 or 503, or not listening at all, means "still loading": it is asked again until `stop()`.
 */
export function createAriClient(options: AriOptions): AriConnection {
  return new AriClient(options);
}

class AriClient implements AriConnection {
  readonly #options: AriOptions;
  readonly #rest: RestOverWebSocket;
  readonly #stopping = new AbortController();
  #socket: WebSocket | undefined;
  #wire: Socket | undefined;
  #up = false;
  #replaced = false;
  #running: Promise<void> | undefined;

  constructor(options: AriOptions) {
    this.#options = options;
    this.#rest = new RestOverWebSocket(options.requestTimeoutMs ?? 5_000);
  }

  /** False from the moment on at which the socket is gone: what could not be sent must not look like something that Asterisk refused. */
  get connected(): boolean {
    return this.#up && this.#socket?.readyState === WebSocket.OPEN;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#socket?.close();
    await this.#running;
  }

  request(...[method, path, query, body]: Parameters<AriRest["request"]>): Promise<unknown> {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) {
      return Promise.reject(new ExpectedError("Unavailable", `ARI is not connected: ${method} ${path} was not sent`));
    }
    return this.#rest.request({ method, path, query, body }, (frame) => {
      if (this.#wire !== undefined) sendTogether(this.#wire);
      socket.send(frame);
    });
  }

  #run(): Promise<void> {
    const { logger, pauses } = this.#options;
    return keepTrying({ session: () => this.#session(), ended: (reason) => this.#ended(reason), logger, signal: this.#stopping.signal, pauses });
  }

  async #ended(reason: string): Promise<boolean> {
    const wasUp = this.#up;
    this.#up = false;
    if (wasUp) this.#options.onDown(reason);
    if (this.#replaced) await standBy(this.#options, this.#stopping.signal);
    this.#replaced = false;
    return wasUp;
  }

  /** From connecting until the socket is gone. @returns why it went */
  async #session(): Promise<string> {
    const socket = this.#open();
    this.#socket = socket;
    const watch = watchLiveness(socket, this.#options.pingIntervalMs ?? 5_000);
    const beats = setInterval(() => void (this.#up && beat(this).catch(() => undefined)), BEAT_MS);
    socket.on("upgrade", ({ socket: wire }) => (this.#wire = wire));
    socket.on("open", () => void this.#announce(socket));
    socket.on("message", (data) => this.#receive(asText(data)));
    const reason = await closed(socket);
    clearInterval(watch);
    clearInterval(beats);
    this.#rest.rejectAll("the socket was lost");
    return reason;
  }

  #open(): WebSocket {
    const { url, app, user, password } = this.#options;
    const address = `${url.replace(/^http/, "ws")}/events?app=${encodeURIComponent(app)}`;
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    return new WebSocket(address, {
      headers: { authorization },
      perMessageDeflate: false,
      handshakeTimeout: 5_000,
      maxPayload: MAX_MESSAGE_BYTES,
    });
  }

  async #announce(socket: WebSocket): Promise<void> {
    const filter = { allowed: WANTED_EVENTS.map((type) => ({ type })) };
    try {
      await this.request("PUT", `/applications/${encodeURIComponent(this.#options.app)}/eventFilter`, undefined, filter);
    } catch (error) {
      this.#options.logger.warn({ error: messageOf(error) }, "ARI refused the event filter");
      socket.terminate();
      return;
    }
    this.#up = true;
    this.#options.logger.info({ app: this.#options.app }, "ARI is connected");
    this.#options.onUp();
  }

  #receive(text: string): void {
    const message = asObject(parseJson(text));
    if (message["type"] === "RESTResponse") {
      this.#rest.settle(message);
      return;
    }
    if (message["type"] === "ApplicationReplaced") {
      // Asterisk leaves the socket open, and never again sends an event on it.
      this.#replaced = true;
      this.#socket?.terminate();
      return;
    }
    const event = parseEvent(message);
    if (event !== undefined) {
      this.#options.onEvent(event);
    }
  }
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
