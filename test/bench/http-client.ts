import { connect, type Socket } from "node:net";

export interface HttpAnswer {
  /** 0: the connection broke before the answer was complete. */
  readonly status: number;
  readonly body: string;
  readonly milliseconds: number;
}

const broken = (start: number): HttpAnswer => ({ status: 0, body: "", milliseconds: performance.now() - start });

/** One HTTP/1.1 connection that is kept alive, one request at a time. Node's own client would cost more than the servers measured. */
export class HttpConnection {
  readonly #port: number;
  #socket: Socket | undefined;
  #received = "";
  #waiting: { readonly start: number; readonly resolve: (answer: HttpAnswer) => void } | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** @param start when the request was due, so that what it waited for counts; performance.now() when left out */
  post(request: string, start = performance.now()): Promise<HttpAnswer> {
    return new Promise((resolve) => {
      this.#waiting = { start, resolve };
      this.#socket ??= this.#connect();
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #connect(): Socket {
    const socket = connect(this.#port, "127.0.0.1").setNoDelay(true).setEncoding("latin1");
    socket.on("data", (text) => this.#read(String(text)));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#socket = undefined;
      this.#received = "";
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.resolve(broken(waiting.start));
    });
    return socket;
  }

  #read(text: string): void {
    this.#received += text;
    const end = this.#received.indexOf("\r\n\r\n");
    if (end < 0 || this.#waiting === undefined) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.#received.slice(0, end + 2))?.[1] ?? 0);
    if (this.#received.length < end + 4 + length) return;
    const { start, resolve } = this.#waiting;
    const answer = { status: Number(this.#received.slice(9, 12)), body: this.#received.slice(end + 4, end + 4 + length), milliseconds: performance.now() - start };
    this.#received = "";
    this.#waiting = undefined;
    resolve(answer);
  }
}

/** The bytes of a POST with a JSON body (ASCII), as a page of `origin` sends it. */
export function postRequest(path: string, body: object, origin = "https://acme.example"): string {
  const text = JSON.stringify(body);
  const headers = [
    `POST ${path} HTTP/1.1`,
    "Host: calls.acme.example",
    `Origin: ${origin}`,
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Content-Type: text/plain;charset=UTF-8",
    `Content-Length: ${Buffer.byteLength(text)}`,
  ];
  return `${headers.join("\r\n")}\r\n\r\n${text}`;
}
