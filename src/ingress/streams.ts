import { randomInt } from "node:crypto";
import type { Request, Response } from "express";
import type { Gauge } from "prom-client";
import type { Uuid } from "../domain/types.ts";
import { HttpProblem } from "./problem.ts";
import type { PresenceKeeper } from "./presence-keeper.ts";

export interface StreamLimits {
  readonly maxStreams: number;
  readonly maxStreamsPerDevice: number;
  /** A comment that often keeps proxies from closing a quiet stream and finds dead connections. */
  readonly keepAliveSeconds: number;
  /** A stream this old is asked for again; one whose client doesn't is ended. Who vanished without a word is offline then. */
  readonly maxSeconds: number;
}

interface OpenStream {
  /** Of the page that listens; undefined for apps. */
  readonly origin: string | undefined;
  /** Milliseconds since 1970. */
  readonly renewAt: number;
  /** When the client was asked to open the next one; 0 before. */
  askedAt: number;
}

/** A client that doesn't read is cut off here; it reconnects or asks again. */
const maxUnsentBytes = 65_536;
/** How long a client that was asked for the next stream has time to open it. */
const graceMilliseconds = 10_000;

/**
 * Server-sent events (https://html.spec.whatwg.org/#server-sent-events), one stream for each open device. An open stream is
 * what "online" means; pushes are the numbers that another device of the same prospect was just shown.
 *
 * A telephone that loses its network closes nothing, and whatever is written to it waits in the kernel or a proxy for a quarter of an
 * hour and more. So every stream is asked for again (event `again`) when it is old: who is there opens the next one and closes this one.
 */
export class Streams {
  readonly #presence: PresenceKeeper;
  readonly #limits: StreamLimits;
  readonly #open: Gauge;
  readonly #byDevice = new Map<Uuid, Map<Response, OpenStream>>();
  readonly #timer: NodeJS.Timeout;
  #count = 0;
  #stopped = false;

  constructor(presence: PresenceKeeper, limits: StreamLimits, open: Gauge) {
    this.#presence = presence;
    this.#limits = limits;
    this.#open = open;
    this.#timer = setInterval(() => this.#keepAlive(), limits.keepAliveSeconds * 1000);
    this.#timer.unref();
  }

  /**
   * @param origin of the page
   * @throws HttpProblem 429 or 503 when there are too many; an EventSource doesn't try again by itself after that.
   */
  open({ device, origin }: { readonly device: Uuid; readonly origin: string | undefined }, request: Request, response: Response): void {
    // Gone while it waited: its end was told already and would never take it off the count.
    if (response.closed || request.socket.destroyed) return;
    const streams = this.#byDevice.get(device) ?? new Map<Response, OpenStream>();
    if (this.#stopped || this.#count >= this.#limits.maxStreams) throw new HttpProblem(503, "Try again later", { retryAfterSeconds: 30 });
    if (streams.size >= this.#limits.maxStreamsPerDevice) {
      throw new HttpProblem(429, "Too many streams of one device", { retryAfterSeconds: 30 });
    }
    // Spread, so that those that came together don't come again together.
    const milliseconds = this.#limits.maxSeconds * (750 + randomInt(250));
    this.#byDevice.set(device, streams.set(response, { origin, renewAt: Date.now() + milliseconds, askedAt: 0 }));
    this.#count += 1;
    this.#open.set(this.#count);
    this.#presence.opened(device);
    response.once("close", () => this.#closed(device, response));
    request.socket.setNoDelay(true);
    // Not buffered by nginx; no-transform keeps proxies from compressing, which buffers as well.
    response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no" });
    // After an outage clients come back spread over four seconds, not all at once.
    response.write(`retry: ${1000 + randomInt(4000)}\n\n`);
  }

  /**
   * @param data goes out as one line of JSON, which never holds a line break
   * @param mayHear which pages it is for
   * Answers how many streams it was written to.
   */
  send(device: Uuid, { event, data }: { readonly event: string; readonly data: object }, mayHear: (origin: string | undefined) => boolean): number {
    const listening = [...(this.#byDevice.get(device) ?? [])].filter(([, { origin }]) => mayHear(origin));
    if (listening.length === 0) return 0;
    const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
    for (const [response] of listening) write(response, text);
    return listening.length;
  }

  /** Ends all streams; clients reconnect to another replica. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const streams of this.#byDevice.values()) for (const response of streams.keys()) response.end();
  }

  #closed(device: Uuid, response: Response): void {
    const streams = this.#byDevice.get(device);
    if (streams?.delete(response) !== true) return;
    if (streams.size === 0) this.#byDevice.delete(device);
    this.#count -= 1;
    this.#open.set(this.#count);
    this.#presence.closed(device);
  }

  #keepAlive(): void {
    const now = Date.now();
    for (const streams of this.#byDevice.values()) for (const [response, stream] of streams) keepOrRenew(response, stream, now);
  }
}

function keepOrRenew(response: Response, stream: OpenStream, now: number): void {
  if (stream.askedAt > 0 && now - stream.askedAt >= graceMilliseconds) {
    // One that has not even read its end by the next time is cut off: it would count as online for as long as the kernel waits for it.
    if (response.writableEnded) response.destroy();
    else response.end();
    return;
  }
  const ask = stream.askedAt === 0 && stream.renewAt <= now;
  if (ask) stream.askedAt = now;
  write(response, ask ? "event: again\ndata:\n\n" : ":\n\n");
}

/** A stream that has ended is there until its client has read that. Whatever is written after the end is an error that would end the process. */
function write(response: Response, text: string): void {
  if (response.writableEnded) return;
  if (response.writableLength > maxUnsentBytes) response.destroy();
  else response.write(text);
}
