import { messageOf } from "../../domain/errors.ts";
import type { AriRest, Logger } from "../../domain/ports.ts";
import type { Backoff } from "../../shared/backoff.ts";
import { type AriEvent, parseEvent, WANTED_EVENTS } from "./events.ts";
import { beat, BEAT_MS } from "./holder.ts";
import type { Json } from "./json.ts";
import { keepTrying } from "./keep-trying.ts";
import { AriSocket, notConnected } from "./socket.ts";
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
  /** Sockets for what calls ask for; default 8. */
  readonly lanes?: number;
  /** Between two tries to connect; default 100 to 5,000. */
  readonly pauses?: Backoff;
}

export interface AriLane extends AriRest {
  /** Milliseconds for which the oldest request has waited for its answer; 0 when none waits. */
  readonly behindMs: number;
}

export interface AriConnection extends AriRest {
  readonly connected: boolean;
  /**
   * For what calls ask for, each call on one of them. Asterisk waits for a channel's own thread before it goes on to the next request of the
   * same lane; neither the other lanes nor the connection itself have to wait for it.
   */
  readonly lanes: readonly AriLane[];
  start(): void;
  /** Closes the connection; resolves when it is gone. Requests on their way are rejected. */
  stop(): Promise<void>;
}

/**
 * WebSockets with requests on them (REST over WebSocket, Asterisk 22.4 and newer): one for events and all that must be quick, the others for
 * what calls ask for. They live and end together. docs/decisions/0031.
 * Asterisk answering 404 or 503, or not listening at all, means "still loading": it is asked again until `stop()`.
 */
export function createAriClient(options: AriOptions): AriConnection {
  return new AriClient(options);
}

/** Each is a thread in Asterisk that waits for others most of the time: more than it has cores, and many more than one. */
const LANES = 8;

interface Sockets {
  readonly events: AriSocket;
  readonly lanes: readonly AriSocket[];
}

class AriClient implements AriConnection {
  readonly #options: AriOptions;
  readonly #stopping = new AbortController();
  #sockets: Sockets | undefined;
  #up = false;
  #replaced = false;
  #running: Promise<void> | undefined;
  readonly lanes: readonly AriLane[];

  constructor(options: AriOptions) {
    this.#options = options;
    this.lanes = Array.from({ length: options.lanes ?? LANES }, (_, index) => this.#lane(index));
  }

  /** False from the moment on at which a socket is gone: what could not be sent must not look like something that Asterisk refused. */
  get connected(): boolean {
    return this.#up && all(this.#sockets).every(({ open }) => open);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const socket of all(this.#sockets)) socket.close();
    await this.#running;
  }

  request(...request: Parameters<AriRest["request"]>): Promise<unknown> {
    return ask(this.#sockets?.events, request);
  }

  #lane(index: number): AriLane {
    const socket = () => this.#sockets?.lanes[index];
    return {
      request: (...request) => ask(socket(), request),
      get behindMs() {
        return socket()?.behindMs ?? 0;
      },
    };
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

  /** From connecting until the sockets are gone. @returns why the first of them went */
  async #session(): Promise<string> {
    const { url, user, password, app, requestTimeoutMs, pingIntervalMs } = this.#options;
    const open = (name: string, onMessage: (message: Json) => void) => new AriSocket({ url, user, password, app: name, requestTimeoutMs, pingIntervalMs, onMessage });
    const sockets: Sockets = {
      events: open(app, (message) => this.#isReplaced(message, sockets) || this.#happened(message)),
      lanes: this.lanes.map((_, index) => open(`${app}-commands-${index + 1}`, (message) => this.#isReplaced(message, sockets))),
    };
    this.#sockets = sockets;
    const beats = setInterval(() => void (this.#up && beat(this).catch(() => undefined)), BEAT_MS);
    void this.#announce(sockets);
    const reason = await Promise.race(all(sockets).map(({ closed }) => closed));
    clearInterval(beats);
    endOf(sockets);
    await Promise.all(all(sockets).map(({ closed }) => closed));
    return reason;
  }

  async #announce(sockets: Sockets): Promise<void> {
    const { app, logger, onUp } = this.#options;
    await Promise.all(all(sockets).map(({ opened }) => opened));
    try {
      await Promise.all([sockets.events.allow(WANTED_EVENTS), ...sockets.lanes.map((lane) => lane.allow(["RESTResponse", "ApplicationReplaced"]))]);
    } catch (error) {
      logger.warn({ error: messageOf(error) }, "ARI refused the event filter");
      endOf(sockets);
      return;
    }
    // One of them may be gone meanwhile.
    if (!all(sockets).every(({ open }) => open)) return;
    this.#up = true;
    logger.info({ application: app }, "ARI is connected");
    onUp();
  }

  #isReplaced(message: Json, sockets: Sockets): boolean {
    if (message["type"] !== "ApplicationReplaced") return false;
    // Asterisk leaves the socket open, and never again sends an event on it.
    this.#replaced = true;
    endOf(sockets);
    return true;
  }

  #happened(message: Json): void {
    const event = parseEvent(message);
    if (event !== undefined) this.#options.onEvent(event);
  }
}

function ask(socket: AriSocket | undefined, request: Parameters<AriRest["request"]>): Promise<unknown> {
  return socket?.request(...request) ?? Promise.reject(notConnected(request[0], request[1]));
}

function all(sockets: Sockets | undefined): readonly AriSocket[] {
  return sockets === undefined ? [] : [sockets.events, ...sockets.lanes];
}

function endOf(sockets: Sockets): void {
  for (const socket of all(sockets)) socket.terminate();
}
