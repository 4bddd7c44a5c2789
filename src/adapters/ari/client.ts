import { messageOf } from "../../domain/errors.ts";
import type { AriRest, Logger } from "../../domain/ports.ts";
import { type AriEvent, parseEvent, WANTED_EVENTS } from "./events.ts";
import { beat, BEAT_MS } from "./holder.ts";
import type { Json } from "./json.ts";
import { keepTrying, type Pauses } from "./keep-trying.ts";
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
  /** Between two tries to connect; default 100 to 5,000. */
  readonly pauses?: Pauses;
}

export interface AriConnection extends AriRest {
  readonly connected: boolean;
  /** What calls ask for. Nothing else has to wait behind it: Asterisk waits for a channel's own thread before it goes on to the next request. */
  readonly commands: AriRest;
  /** Milliseconds for which the oldest of `commands` has waited for its answer; 0 when none waits. */
  readonly behindMs: number;
  start(): void;
  /** Closes the connection; resolves when it is gone. Requests on their way are rejected. */
  stop(): Promise<void>;
}

/**
 * Two WebSockets with requests on them (REST over WebSocket, Asterisk 22.4 and newer): one for events and all that must be quick, one for
 * what calls ask for. They live and end together. docs/decisions/0031.
 * Asterisk answering 404 or 503, or not listening at all, means "still loading": it is asked again until `stop()`.
 */
export function createAriClient(options: AriOptions): AriConnection {
  return new AriClient(options);
}

interface Sockets {
  readonly events: AriSocket;
  readonly commands: AriSocket;
}

class AriClient implements AriConnection {
  readonly #options: AriOptions;
  readonly #stopping = new AbortController();
  #sockets: Sockets | undefined;
  #up = false;
  #replaced = false;
  #running: Promise<void> | undefined;
  readonly commands: AriRest = { request: (...request) => this.#ask("commands", request) };

  constructor(options: AriOptions) {
    this.#options = options;
  }

  /** False from the moment on at which a socket is gone: what could not be sent must not look like something that Asterisk refused. */
  get connected(): boolean {
    return this.#up && this.#sockets?.events.open === true && this.#sockets.commands.open;
  }

  get behindMs(): number {
    return this.#sockets?.commands.behindMs ?? 0;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#sockets?.events.close();
    this.#sockets?.commands.close();
    await this.#running;
  }

  request(...request: Parameters<AriRest["request"]>): Promise<unknown> {
    return this.#ask("events", request);
  }

  #ask(socket: keyof Sockets, request: Parameters<AriRest["request"]>): Promise<unknown> {
    return this.#sockets?.[socket].request(...request) ?? Promise.reject(notConnected(request[0], request[1]));
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
      commands: open(`${app}-commands`, (message) => this.#isReplaced(message, sockets)),
    };
    this.#sockets = sockets;
    const beats = setInterval(() => void (this.#up && beat(this).catch(() => undefined)), BEAT_MS);
    void this.#announce(sockets);
    const reason = await Promise.race([sockets.events.closed, sockets.commands.closed]);
    clearInterval(beats);
    endOf(sockets);
    await Promise.all([sockets.events.closed, sockets.commands.closed]);
    return reason;
  }

  async #announce(sockets: Sockets): Promise<void> {
    const { app, logger, onUp } = this.#options;
    await Promise.all([sockets.events.opened, sockets.commands.opened]);
    try {
      await Promise.all([sockets.events.allow(WANTED_EVENTS), sockets.commands.allow(["RESTResponse", "ApplicationReplaced"])]);
    } catch (error) {
      logger.warn({ error: messageOf(error) }, "ARI refused the event filter");
      endOf(sockets);
      return;
    }
    // One of them may be gone meanwhile.
    if (!sockets.events.open || !sockets.commands.open) return;
    this.#up = true;
    logger.info({ app }, "ARI is connected");
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

function endOf({ events, commands }: Sockets): void {
  events.terminate();
  commands.terminate();
}
