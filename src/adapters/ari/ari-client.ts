import { createRequire } from "node:module";
import type AriClient from "ari-client";
import type { Client } from "ari-client";
import type { WebSocket } from "ws";

import { ExpectedError, messageOf } from "../../domain/errors.ts";
import type { AriRest } from "../../domain/ports.ts";
import type { AriConnection, AriLane, AriOptions } from "./client.ts";
import { parseEvent, WANTED_EVENTS } from "./events.ts";
import { beat, BEAT_MS } from "./holder.ts";
import { createAriHttp } from "./http.ts";
import { InOrder, objectsOf } from "./in-order.ts";
import { asObject, type Json } from "./json.ts";
import { keepTrying } from "./keep-trying.ts";
import { watchLiveness } from "./liveness.ts";
import { Operations } from "./operations.ts";
import { standBy } from "./stand-by.ts";

/** Fetching the descriptions takes about a quarter of a second. */
const CONNECT_MILLISECONDS = 10_000;
/** WebSocket.OPEN. */
const OPEN = 1;

/**
 * Requests over HTTP and events over a WebSocket, with ari-client 2.2.0, because that library was asked for: a second implementation of what
 * client.ts does with WebSockets alone, held to the same tests (test/adapters/ari/transports.test.ts). It costs more time and CPU a call, and
 * serves no older Asterisk. One Asterisk a process: its HTTP client keeps the credentials for all.
 *
 * Where the library would fail us: it gives up after ten tries to reconnect, so that each connection is a session of its own here; it
 * throws from a callback while Asterisk is loading; it has the password in its WebSocket's address, so that no error of it is logged as
 * an object.
 */
export function createAriClientTransport(options: AriOptions): AriConnection {
  return new AriClientTransport(options, loadLibrary());
}

interface Open {
  readonly client: Client;
  readonly operations: Operations;
  readonly order: InOrder;
}

class AriClientTransport implements AriConnection {
  readonly #options: AriOptions;
  readonly #library: typeof AriClient;
  readonly #probe: AriRest;
  readonly #stopping = new AbortController();
  #open: Open | undefined;
  #up = false;
  #replaced = false;
  #running: Promise<void> | undefined;
  /** Over HTTP each request has a connection of its own, and waits for none but those about the same channel or bridge. */
  readonly lanes: readonly AriLane[] = [this];

  constructor(options: AriOptions, library: typeof AriClient) {
    this.#options = options;
    this.#library = library;
    this.#probe = createAriHttp({ ...options, requestTimeoutMs: 5_000 });
  }

  /** False from the moment on at which the socket is gone: what could not be sent must not look like something that Asterisk refused. */
  get connected(): boolean {
    return this.#up && this.#open !== undefined && this.#open.client._ws?.readyState === OPEN;
  }

  get behindMs(): number {
    return this.#open?.operations.behindMs ?? 0;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#open?.client._ws?.close();
    await this.#running;
  }

  // Async, so that what is thrown on the way is a rejection as well.
  async request(...[method, path, query, body]: Parameters<AriRest["request"]>): Promise<unknown> {
    const open = this.#open;
    const lost = () => new ExpectedError("Unavailable", `ARI is not connected: ${method} ${path} was not sent`);
    if (open === undefined) throw lost();
    const send = () => (this.#open === open ? open.operations.request(method, path, query, body) : Promise.reject(lost()));
    return open.order.run(objectsOf(path, query), send);
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
    const { url, user, password, app, requestTimeoutMs, pingIntervalMs } = this.#options;
    try {
      // An Asterisk that is still loading answers 404 or 503.
      await this.#probe.request("GET", "/asterisk/ping");
      const client = await within(CONNECT_MILLISECONDS, this.#library.connect(new URL(url).origin, user, password));
      if (this.#stopping.signal.aborted) return "stopped";
      const gone = untilGone(client);
      const operations = new Operations(client, requestTimeoutMs ?? 5_000);
      client.on("*", (event: Json) => this.#receive(client, event));
      // Its promise has no part in this when the socket goes first.
      const opened = client.start(encodeURIComponent(app)).then(() => "open" as const, messageOf);
      if ((await Promise.race([opened, gone])) !== "open") return await gone;
      this.#open = { client, operations, order: new InOrder() };
      const watch = client._ws === undefined ? undefined : watchLiveness(client._ws, pingIntervalMs ?? 5_000);
      const beats = setInterval(() => void (this.#up && beat(this).catch(() => undefined)), BEAT_MS);
      void this.#announce(client);
      const reason = await gone;
      clearInterval(watch);
      clearInterval(beats);
      this.#open = undefined;
      operations.rejectAll("the socket was lost");
      return reason;
    } catch (error) {
      return messageOf(error).replaceAll(password, "***");
    }
  }

  async #announce(client: Client): Promise<void> {
    // RESTResponse is no event here.
    const allowed = WANTED_EVENTS.filter((type) => type !== "RESTResponse").map((type) => ({ type }));
    try {
      await this.request("PUT", `/applications/${encodeURIComponent(this.#options.app)}/eventFilter`, undefined, { allowed });
    } catch (error) {
      this.#options.logger.warn({ error: messageOf(error) }, "ARI refused the event filter");
      client._ws?.terminate();
      return;
    }
    // It may have been stopped or lost meanwhile.
    if (this.#open?.client !== client) return;
    this.#up = true;
    this.#options.logger.info({ application: this.#options.app }, "ARI is connected");
    this.#options.onUp();
  }

  #receive(client: Client, message: Json): void {
    if (message["type"] === "ApplicationReplaced") {
      // Asterisk leaves the socket open, and never again sends an event on it.
      this.#replaced = true;
      client._ws?.terminate();
      return;
    }
    const event = parseEvent(asObject(message));
    if (event !== undefined) this.#options.onEvent(event);
  }
}

/**
 * Resolves when the client's socket is gone, and sees to it that the client opens no other: it reconnects by itself, ten times, and
 * a second socket would take the application over from ours.
 */
function untilGone(client: Client): Promise<string> {
  return new Promise((resolve) => {
    client.once("WebSocketReconnecting", (error: unknown) => {
      retire(client);
      resolve(error === undefined ? "the socket was closed" : messageOf(error));
    });
  });
}

/** Its next try is on its way already: that one is broken off before it reaches Asterisk, and with `_wsClosed` it is the last. */
function retire(client: Client): void {
  client._wsClosed = true;
  const closing = client._ws;
  Object.defineProperty(client, "_ws", {
    get: () => closing,
    set: (socket: WebSocket) => {
      socket.on("error", () => undefined);
      socket.terminate();
    },
  });
}

/** Its HTTP client never settles what was refused a connection. */
async function within<T>(ms: number, promise: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ExpectedError("Unavailable", `ARI's descriptions were not read within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

interface SwaggerClient {
  readonly SwaggerApi: { readonly prototype: { fail: (this: { failure: (message: unknown) => void }, message: unknown) => void } };
}

/**
 * Loaded when it is wanted: it brings a hundred modules and global variables with it. Its Swagger client reports what it can't read, and
 * throws it as well, out of a callback, which would end the process; and it writes a remark about every description that it reads to
 * standard output, among our log, through a global function of its own. Neither is left to it.
 */
function loadLibrary(): typeof AriClient {
  const beside = createRequire(import.meta.url);
  const library = beside("ari-client") as typeof AriClient;
  const { SwaggerApi } = createRequire(beside.resolve("ari-client"))("swagger-client") as SwaggerClient;
  SwaggerApi.prototype.fail = function (message) {
    this.failure(message);
  };
  Object.assign(globalThis, { log: () => undefined });
  return library;
}
