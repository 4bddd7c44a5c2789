import pg from "pg";
import { messageOf } from "../../domain/errors.ts";
import type { Logger } from "../../domain/ports.ts";
import { backoffMs } from "../../shared/backoff.ts";

const RECONNECT = { firstMs: 100, longestMs: 10_000 } as const;
const CONNECT_MILLISECONDS = 5_000;

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
      ...{ connectionString: url, connectionTimeoutMillis: CONNECT_MILLISECONDS, application_name: "dialplane-listener" },
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
      await client.end().catch(() => undefined);
      throw error;
    }
    if (this.#stopped) return client.end();
    this.#client = client;
    this.#failures = 0;
    this.#options.onConnected?.();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#client?.end().catch(() => undefined);
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
