import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { messageOf } from "../../domain/errors.ts";
import type { Logger } from "../../domain/ports.ts";
import { backoffMs } from "../../shared/backoff.ts";

const RECONNECT = { firstMs: 100, longestMs: 10_000 } as const;
const CONNECT_MILLISECONDS = 5_000;
const LEAVE_MILLISECONDS = 1_000;

export interface ListenOptions {
  readonly url: string;
  /** A constant of ours: channel names can't be parameters. */
  readonly channel: "dialplane_revision" | "dialplane_push" | "dialplane_pods";
  readonly onNotification: (payload: string) => void;
  /** After every connect, the first included: what was missed meanwhile is not told again. */
  readonly onConnected?: () => void;
  readonly logger: Logger;
}

/**
 * LISTEN on a connection of its own, for ever: a lost connection, and one that could not be had, is opened again. Notifications are hints; whoever
 * needs the truth polls. Resolves after the first try, when listening or when the database is away; the answer stops it.
 */
export async function listen(options: ListenOptions): Promise<() => Promise<void>> {
  const session = new Session(options);
  await session.start();
  return () => session.stop();
}

class Session {
  readonly #options: ListenOptions;
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopped = false;

  constructor(options: ListenOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      this.#options.logger.warn({ channel: this.#options.channel, error: messageOf(error) }, "the database's notifications can't be listened for; will retry");
      if (!this.#stopped) this.#retry();
    }
  }

  async #connect(): Promise<void> {
    const { url } = this.#options;
    const client = new pg.Client({
      ...{ connectionString: url, application_name: "dialplane-listener" },
      // A server may fall silent when it has taken the connection: it would be waited for, and not tried again.
      ...{ connectionTimeoutMillis: CONNECT_MILLISECONDS, query_timeout: CONNECT_MILLISECONDS },
      ...{ keepAlive: true, keepAliveInitialDelayMillis: 10_000 },
    });
    client.on("notification", (message) => this.#options.onNotification(message.payload ?? ""));
    client.on("error", (error) => this.#reconnect(client, error));
    client.on("end", () => this.#reconnect(client, new Error("the server ended the connection")));
    try {
      await client.connect();
      await client.query(`listen ${this.#options.channel}`);
    } catch (error) {
      // Not the present connection yet: whoever asked for it decides what follows.
      await leave(client);
      throw error;
    }
    if (this.#stopped) return leave(client);
    this.#client = client;
    this.#failures = 0;
    this.#options.onConnected?.();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    if (this.#client !== undefined) await leave(this.#client);
  }

  /** Error and end may both come for one connection, and old ones late: only the present one counts, once. */
  #reconnect(client: pg.Client, reason: unknown): void {
    if (this.#stopped || client !== this.#client) return;
    this.#client = undefined;
    this.#options.logger.warn({ channel: this.#options.channel, error: messageOf(reason) }, "lost the database's notifications");
    this.#retry();
  }

  #retry(): void {
    this.#failures += 1;
    this.#timer = setTimeout(() => {
      this.#connect().catch(() => {
        if (!this.#stopped) this.#retry();
      });
    }, backoffMs(RECONNECT, this.#failures));
  }
}

/** A server that is gone without a word does not take leave: it would be waited for until TCP gives up, a quarter of an hour later. */
async function leave(client: pg.Client): Promise<void> {
  await Promise.race([client.end().catch(() => undefined), sleep(LEAVE_MILLISECONDS, undefined, { ref: false })]);
  client.connection.stream.destroy();
}
