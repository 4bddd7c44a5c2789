import { randomUUID } from "node:crypto";
import { connect, type Socket } from "node:net";

/** One message of the Asterisk Manager Interface; a header that comes again keeps its last value. */
export type AmiMessage = Readonly<Record<string, string>>;

export interface AmiClient {
  /** @throws Error with Asterisk's message when it answers `Response: Error`, or when the connection is lost */
  action(name: string, headers?: Readonly<Record<string, string>>): Promise<AmiMessage>;
  onEvent(listener: (event: AmiMessage) => void): void;
  close(): void;
}

/** Logs in and receives events of the classes `call` and `user`. */
export async function connectAmi(options: { host: string; port: number; user: string; secret: string }): Promise<AmiClient> {
  const socket = connect(options.port, options.host);
  const client = new Client(socket);
  await client.action("Login", { Username: options.user, Secret: options.secret, Events: "call,user" });
  return client;
}

class Client implements AmiClient {
  readonly #socket: Socket;
  readonly #waiting = new Map<string, { resolve: (message: AmiMessage) => void; reject: (error: Error) => void }>();
  readonly #listeners: ((event: AmiMessage) => void)[] = [];
  #rest = "";

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#receive(text));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("AMI closed the connection")));
  }

  action(name: string, headers: Readonly<Record<string, string>> = {}): Promise<AmiMessage> {
    const id = randomUUID();
    const lines = Object.entries({ Action: name, ActionID: id, ...headers }).map(([key, value]) => `${key}: ${oneLine(value)}\r\n`);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.write(`${lines.join("")}\r\n`, (error) => (error instanceof Error ? this.#fail(error) : undefined));
    });
  }

  onEvent(listener: (event: AmiMessage) => void): void {
    this.#listeners.push(listener);
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(text: string): void {
    const blocks = (this.#rest + text).split("\r\n\r\n");
    this.#rest = blocks.pop() ?? "";
    blocks.map(parse).forEach((message) => this.#dispatch(message));
  }

  #dispatch(message: AmiMessage): void {
    if (message["Event"] !== undefined) {
      this.#listeners.forEach((listener) => listener(message));
      return;
    }
    const id = message["ActionID"] ?? "";
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (message["Response"] === "Error") {
      waiting?.reject(new Error(`AMI: ${message["Message"] ?? "error"}`));
    } else {
      waiting?.resolve(message);
    }
  }

  #fail(error: Error): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    waiting.forEach(({ reject }) => reject(error));
  }
}

/** The greeting's line ("Asterisk Call Manager/...") has no colon and falls away. */
function parse(block: string): AmiMessage {
  const pairs = block.split("\r\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()] as const);
  return Object.fromEntries(pairs.filter(([name]) => name !== ""));
}

function oneLine(value: string): string {
  if (/[\r\n]/.test(value)) {
    throw new RangeError("a value of AMI must not hold a line end");
  }
  return value;
}
